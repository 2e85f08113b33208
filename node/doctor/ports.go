package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Port is one to listen on.
type Port struct {
	Network string // tcp or udp
	Host    string
	Port    int
	Setting string // which names it
	Free    bool   // when it is taken, any free one does
}

// PortsOf are the ports of multiaddrs, each once, without those that the system chooses.
func PortsOf(addrs []string, setting string, free bool) (ports []Port) {
	seen := map[string]bool{}
	for _, text := range addrs {
		m, err := ma.NewMultiaddr(text)
		if err != nil {
			continue // the configuration is another check
		}
		first, _ := ma.SplitFunc(m, func(c ma.Component) bool {
			return c.Protocol().Code != ma.P_IP4 && c.Protocol().Code != ma.P_IP6 && c.Protocol().Code != ma.P_TCP && c.Protocol().Code != ma.P_UDP
		})
		a, err := manet.ToNetAddr(first)
		if err != nil {
			continue
		}
		host, port, err := net.SplitHostPort(a.String())
		if err != nil || port == "0" || seen[a.Network()+a.String()] {
			continue
		}
		seen[a.Network()+a.String()] = true
		n, _ := strconv.Atoi(port)
		ports = append(ports, Port{a.Network(), host, n, setting, free})
	}
	return ports
}

// Ports looks at whether the ports are free. Running tells that the node has them.
func Ports(ports []Port, running bool) Check {
	return Check{Name: "ports", Look: func(ctx context.Context, say Say) {
		free := 0
		for _, p := range ports {
			err := p.try(ctx)
			switch {
			case err == nil && running:
				say(Warn, p.String()+" is free, though the node runs", "it listens elsewhere: it was started with other settings than doctor was, or the port was taken then and it should be started again")
			case err == nil:
				free++
			case running && errors.Is(err, syscall.EADDRINUSE):
				say(OK, p.String()+" is in use"+p.by(), "")
			default:
				say(p.state(), p.String()+": "+reason(err)+p.by(), p.advice(err))
			}
		}
		if free > 0 {
			say(OK, fmt.Sprintf("%d of %d free", free, len(ports)), "")
		}
		if len(ports) == 0 {
			say(OK, "the system chooses free ones", "")
		}
	}}
}

func (p Port) String() string {
	return p.Network + " " + net.JoinHostPort(p.Host, strconv.Itoa(p.Port))
}

func (p Port) by() string {
	if owner := portOwner(p.Network, p.Port); owner != "" {
		return ", by " + owner
	}
	return ""
}

func (p Port) state() State {
	if p.Free {
		return Warn
	}
	return Fail
}

func (p Port) advice(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && p.Free:
		return "the node will take any free port: to be reached always at the same one, name it in " + p.Setting
	case errors.Is(err, os.ErrPermission):
		return "ports below 1024 are root's: choose another in " + p.Setting
	default:
		return "choose another in " + p.Setting + ", or end what has it"
	}
}

// try listens for a moment.
func (p Port) try(ctx context.Context) error {
	var l net.ListenConfig
	addr := net.JoinHostPort(p.Host, strconv.Itoa(p.Port))
	if p.Network == "udp" {
		c, err := l.ListenPacket(ctx, p.Network, addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
	c, err := l.Listen(ctx, p.Network, addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// Reached looks at whether others dial the node, by the addresses of those that did.
func Reached(inbound []string, peers int) Check {
	return Check{Name: "reachability", Look: func(_ context.Context, say Say) {
		outside := 0
		for _, text := range inbound {
			if a, err := ma.NewMultiaddr(text); err == nil && manet.IsPublicAddr(a) {
				outside++
			}
		}
		switch {
		case outside > 0:
			say(OK, fmt.Sprintf("%d of %d connected nodes dialled this one from outside", outside, peers), "")
		case len(inbound) > 0:
			say(OK, fmt.Sprintf("%d of %d connected nodes dialled this one, all of this machine or house", len(inbound), peers), "")
		case peers > 0:
			say(Warn, fmt.Sprintf("none of %d connected nodes dialled this one", peers),
				"let the ports in, TCP and UDP, through firewall and router (reach.port_map asks the router); or name the address from outside in network.announce")
		default:
			say(Warn, "nobody is connected, so nobody can be asked", "see joining")
		}
	}}
}

// Unasked says that reachability is known once the node runs, and what the interfaces
// of the machine tell before.
func Unasked() Check {
	return Check{Name: "reachability", Look: func(_ context.Context, say Say) {
		addrs, err := net.InterfaceAddrs()
		if err != nil {
			say(OK, "known once the node runs", "")
			return
		}
		for _, a := range addrs {
			if m, err := manet.FromNetAddr(a); err == nil && manet.IsPublicAddr(m) {
				say(OK, "this machine has the public address "+m.String()+"; whether others get through is known once the node runs", "")
				return
			}
		}
		say(OK, "this machine has private addresses alone, so it is behind address translation; whether others get through is known once the node runs", "")
	}}
}

// reason is what the system said, without the rest.
func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

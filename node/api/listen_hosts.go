package api

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
)

// hosts are the names under which a listener is ours. Everything else in a Host header
// is a web page's attempt to be taken for us (DNS rebinding): its own name was made to
// point here.
type hosts struct {
	own   []string // with port: the address itself and, on loopback, its usual names
	given []string // those that the owner named, with port or for any that a proxy has
	port  string
	wild  bool // listens on all addresses, so that whichever was called is one of ours
}

// hostsOf are the names of an address, and those that its owner gave it.
func hostsOf(a net.Addr, given []string) hosts {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return hosts{}
	}
	h := hosts{port: port}
	for _, name := range given {
		h.given = append(h.given, strings.ToLower(name))
	}
	ip, _ := netip.ParseAddr(host)
	if ip.IsUnspecified() {
		h.wild = true
	} else {
		h.own = []string{strings.ToLower(a.String())}
	}
	if ip.IsLoopback() || h.wild {
		for _, name := range []string{"127.0.0.1", "::1", "localhost"} {
			h.own = append(h.own, net.JoinHostPort(name, port))
		}
	}
	return h
}

// include tells whether a request was meant for us.
func (h hosts) include(r *http.Request) bool {
	host := strings.ToLower(r.Host)
	return has(h.own, host, h.port) || h.named(r) || h.wild && has([]string{called(r)}, host, h.port)
}

// named tells whether a request was meant for a name that the owner gave. One without
// a port has ours, or that of a proxy, which browsers leave out.
func (h hosts) named(r *http.Request) bool {
	host := strings.ToLower(r.Host)
	for _, name := range h.given {
		if name == host || name+":"+h.port == host {
			return true
		}
	}
	return false
}

// called is the address that a connection was made to. A browser that has an address
// for a Host has not been led here by a name.
func called(r *http.Request) string {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return ""
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String()
}

// has tells whether a host is one of ours; browsers leave out the port of HTTP.
func has(ours []string, host, port string) bool {
	for _, our := range ours {
		if our == host || port == "80" && our == host+":80" {
			return true
		}
	}
	return false
}

func (h hosts) String() string {
	return strings.Join(append(append([]string{}, h.own...), h.given...), ", ")
}

// ErrNotHost means that a name is none that could stand in a Host header.
var ErrNotHost = errors.New("not a host: want a name or an address, perhaps with a port, such as node.example.org or 192.0.2.7:7827")

// hostName is what DNS has, and the underscores that compose files have.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$`)

// CheckHost tells whether a name can be one of ours.
func CheckHost(name string) error {
	host := name
	if h, port, err := net.SplitHostPort(name); err == nil {
		if p, err := netip.ParseAddrPort("0.0.0.0:" + port); err != nil || p.Port() == 0 {
			return fmt.Errorf("%w, not %.80q", ErrNotHost, name)
		}
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err == nil && !ip.IsUnspecified() || err != nil && len(host) < 254 && hostName.MatchString(host) {
		return nil
	}
	return fmt.Errorf("%w, not %.80q", ErrNotHost, name)
}

package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	webrtc "github.com/libp2p/go-libp2p/p2p/transport/webrtc"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	webtransport "github.com/libp2p/go-libp2p/p2p/transport/webtransport"
)

// ErrListen means that an address could not be listened on.
var ErrListen = errors.New("cannot listen")

// graceEach, for each connection that may be open, is how long a new one is left alone, up
// to libp2p's own minute. Who joins a busy network meets hundreds of nodes in a minute,
// and a node that may have few connections has no room for them that long.
const graceEach = 250 * time.Millisecond

func graceOf(connections int) time.Duration {
	return min(time.Minute, time.Duration(connections)*graceEach)
}

// newHost makes the libp2p host. candidates offers peers that may relay for us;
// it is asked only once the host runs.
func newHost(c Config, b *brims, candidates func(ctx context.Context, n int) <-chan peer.AddrInfo) (host.Host, error) {
	opts := []libp2p.Option{
		libp2p.Identity(c.Identity), libp2p.UserAgent("starling"),
	}
	// libp2p's collectors are variables of its packages: nodes of one process count
	// into the same ones, each of which stands in all their registries.
	if c.Metrics == nil {
		opts = append(opts, libp2p.DisableMetrics())
	} else {
		opts = append(opts, libp2p.PrometheusRegisterer(c.Metrics))
	}
	if c.HostOptions != nil {
		opts = append(opts, c.HostOptions...)
	} else {
		network, err := networkOptions(c, b, candidates)
		if err != nil {
			return nil, err
		}
		opts = append(opts, network...)
	}
	cm, err := connmgr.NewConnManager(c.ConnsLow, c.ConnsHigh, connmgr.WithGracePeriod(graceOf(c.ConnsHigh)))
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}
	h, err := libp2p.New(append(opts, libp2p.ConnectionManager(cm))...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrListen, err), cm.Close())
	}
	return h, nil
}

func networkOptions(c Config, b *brims, candidates func(ctx context.Context, n int) <-chan peer.AddrInfo) ([]libp2p.Option, error) {
	listen, err := resolvePorts(c.Listen)
	if err != nil {
		return nil, err
	}
	limits, err := resourceLimits(c, b)
	if err != nil {
		return nil, err
	}
	opts := []libp2p.Option{
		libp2p.Security(noise.ID, noise.New), // QUIC brings TLS 1.3, WebTransport and WebRTC run Noise inside
		libp2p.Transport(tcp.NewTCPTransport), libp2p.Transport(websocket.New), libp2p.ShareTCPListener(),
		libp2p.Transport(quic.NewTransport), libp2p.Transport(webtransport.New), libp2p.Transport(webrtc.New),
		libp2p.ResourceManager(limits),
	}
	if len(listen) == 0 {
		opts = append(opts, libp2p.NoListenAddrs)
	} else {
		opts = append(opts, libp2p.ListenAddrStrings(listen...))
	}
	announced, err := announceOptions(c)
	if err != nil {
		return nil, err
	}
	return slices.Concat(opts, announced, reachOptions(c, candidates)), nil
}

// reachOptions are the ways around address translation.
func reachOptions(c Config, candidates func(ctx context.Context, n int) <-chan peer.AddrInfo) (opts []libp2p.Option) {
	if c.PortMap {
		opts = append(opts, libp2p.NATPortMap())
	}
	if c.AutoNAT {
		opts = append(opts, libp2p.EnableAutoNATv2())
	}
	if c.RelayService {
		opts = append(opts, libp2p.EnableRelayService())
	}
	if c.RelayClient {
		opts = append(opts, libp2p.EnableAutoRelayWithPeerSource(candidates))
	}
	if c.HolePunch {
		opts = append(opts, libp2p.EnableHolePunching())
	}
	if !c.RelayClient && !c.RelayService && !c.HolePunch {
		opts = append(opts, libp2p.DisableRelay())
	}
	return opts
}

// exchangeStreams is how many streams of one protocol a peer may hold open: one
// for requests, and a follow each for what its reader watches.
const exchangeStreams = 128

// resourceLimits scales libp2p's defaults to the machine. Test networks are not
// limited by address, because their nodes share one. What is refused is noted.
func resourceLimits(c Config, b *brims) (network.ResourceManager, error) {
	scaling := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&scaling)
	scaling.ProtocolPeerBaseLimit.StreamsInbound = exchangeStreams
	scaling.ProtocolPeerBaseLimit.Streams = 2 * exchangeStreams
	opts := []rcmgr.Option{rcmgr.WithTraceReporter(b)}
	if c.perIPGroup() == 0 {
		opts = append(opts, rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 0, ConnCount: c.ConnsHigh}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 0, ConnCount: c.ConnsHigh}}))
	}
	m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(scaling.AutoScale()), opts...)
	if err != nil {
		return nil, fmt.Errorf("resource manager: %w", err)
	}
	return m, nil
}

// resolvePorts replaces port 0 by one free TCP port and one free UDP port for
// all addresses, so that each carries all its transports, and finds out before
// libp2p does which given port is taken.
func resolvePorts(listen []string) ([]string, error) {
	if err := portsFree(listen); err != nil {
		return nil, err
	}
	tcpPort, udpPort, err := freePorts()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(listen))
	for i, s := range listen {
		parts := strings.Split(s, "/")
		for j := range len(parts) - 1 {
			switch {
			case parts[j] == "tcp" && parts[j+1] == "0":
				parts[j+1] = strconv.Itoa(tcpPort)
			case parts[j] == "udp" && parts[j+1] == "0":
				parts[j+1] = strconv.Itoa(udpPort)
			}
		}
		out[i] = strings.Join(parts, "/")
	}
	return out, nil
}

// freePorts asks the system for a TCP and a UDP port on all addresses.
func freePorts() (tcpPort, udpPort int, err error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{})
	if err != nil {
		return 0, 0, fmt.Errorf("%w: no free TCP port: %w", ErrListen, err)
	}
	defer func() { _ = l.Close() }()
	p, err := net.ListenUDP("udp", &net.UDPAddr{})
	if err != nil {
		return 0, 0, fmt.Errorf("%w: no free UDP port: %w", ErrListen, err)
	}
	defer func() { _ = p.Close() }()
	return l.Addr().(*net.TCPAddr).Port, p.LocalAddr().(*net.UDPAddr).Port, nil
}

// portsFree tries every IPv4 address with a given port once: libp2p is content
// when one of many addresses works, a person who named a port is not.
func portsFree(listen []string) error {
	tried := map[string]bool{}
	for _, s := range listen {
		parts := strings.Split(s, "/")
		if len(parts) < 5 || parts[1] != "ip4" || parts[4] == "0" {
			continue
		}
		proto, addr := parts[3], net.JoinHostPort(parts[2], parts[4])
		if tried[proto+addr] {
			continue
		}
		tried[proto+addr] = true
		if err := portFree(proto, addr); err != nil {
			return fmt.Errorf("%w on %s: %w; choose another with --listen, or port 0 for any free one", ErrListen, s, err)
		}
	}
	return nil
}

func portFree(proto, addr string) error {
	switch proto {
	case "tcp":
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			return err
		}
		return l.Close()
	case "udp":
		p, err := net.ListenPacket("udp4", addr)
		if err != nil {
			return err
		}
		return p.Close()
	default:
		return nil
	}
}

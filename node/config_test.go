package node_test

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

func testConfig(t *testing.T) node.Config {
	t.Helper()
	network := testNetwork(t, records.Params{Neighbourhood: 4, Capacity: 64})
	dir := t.TempDir()
	keys, err := node.LoadKeys(t.Context(), dir, network, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := node.Default()
	c.DataDir, c.Network, c.Identity, c.Person = dir, network, keys.Node, keys.Person
	c.Listen = []string{
		"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/udp/0/quic-v1",
		"/ip4/127.0.0.1/udp/0/quic-v1/webtransport", "/ip4/127.0.0.1/udp/0/webrtc-direct",
	}
	c.PortMap, c.AutoNAT, c.HolePunch, c.RelayService, c.RelayClient = false, false, false, false, false
	return c
}

// Each wrong setting is named, and what is wrong with it.
func TestConfig_validate(t *testing.T) {
	if err := testConfig(t).Validate(); err != nil {
		t.Fatalf("a good configuration is refused: %v", err)
	}
	for want, spoil := range map[string]func(*node.Config){
		"data directory":  func(c *node.Config) { c.DataDir = "" },
		"node key":        func(c *node.Config) { c.Identity = nil },
		"person key":      func(c *node.Config) { c.Person = records.Key{} },
		"no network":      func(c *node.Config) { c.Network = records.Network{} },
		"connections":     func(c *node.Config) { c.ConnsHigh = c.ConnsLow - 1 },
		"limit":           func(c *node.Config) { c.DoorSize = 0 },
		"timeout":         func(c *node.Config) { c.FetchTimeout = 0 },
		"listen":          func(c *node.Config) { c.Listen = nil },
		"not a multiaddr": func(c *node.Config) { c.Listen = []string{"localhost:4001"} },
		"private address": func(c *node.Config) {
			c.PublicOnly, c.Bootstrap = true, []string{"/ip4/192.168.1.2/tcp/4001/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"}
		},
		"/p2p/": func(c *node.Config) { c.Bootstrap = []string{"/ip4/127.0.0.1/tcp/4001"} },
	} {
		c := testConfig(t)
		spoil(&c)
		if err := c.Validate(); !errors.Is(err, node.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error about %s", err, want)
		}
	}
}

// Port 0 means one TCP port for TCP and WebSocket, and one UDP port for the three
// transports over it.
func TestNew_onePortForAll(t *testing.T) {
	n, err := node.New(testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	ports := map[string]map[string]bool{"tcp": {}, "udp": {}}
	transports := map[string]bool{}
	for _, a := range n.Addrs() {
		parts := strings.Split(a, "/")
		ports[parts[3]][parts[4]] = true
		transports[strings.Join(parts[5:min(len(parts), 7)], "/")] = true
		if !strings.HasSuffix(a, "/p2p/"+n.PeerID().String()) {
			t.Errorf("%s does not end in the node's id", a)
		}
	}
	if len(ports["tcp"]) != 1 || len(ports["udp"]) != 1 || ports["tcp"]["0"] || ports["udp"]["0"] {
		t.Errorf("ports are %v, want one real one each", ports)
	}
	if len(n.Addrs()) != 5 {
		t.Errorf("addresses are %q, want one for each of five transports", n.Addrs())
	}
}

// A port that somebody else has is an error that names the address and a way out.
func TestNew_portTaken(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c := testConfig(t)
	taken := "/ip4/127.0.0.1/tcp/" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	c.Listen = []string{taken, "/ip4/127.0.0.1/udp/0/quic-v1"}
	if _, err := node.New(c); !errors.Is(err, node.ErrListen) || !strings.Contains(err.Error(), taken) {
		t.Errorf("got %v, want ErrListen for %s", err, taken)
	}
}

// A node that announces no private addresses has none to show here, and one that
// dials none does not reach another that listens on one; what the owner announces
// is announced.
func TestConfig_publicOnly(t *testing.T) {
	open := run(t, testConfig(t))
	c := testConfig(t)
	c.PublicOnly = true
	closed := run(t, c)
	if got := closed.Announced(); len(got) > 0 {
		t.Errorf("announces %q", got)
	}
	if err := closed.Dial(t.Context(), open.Addrs()); err == nil || !strings.Contains(err.Error(), "gater") {
		t.Errorf("dialled a private address: %v", err)
	}
	c = testConfig(t)
	c.PublicOnly, c.Announce = true, []string{"/ip4/10.1.2.3/tcp/4001"}
	if got := run(t, c).Announced(); !slices.Equal(got, c.Announce) {
		t.Errorf("announces %q", got)
	}
}

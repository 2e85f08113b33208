package node

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// Somebody near to whom there is no connection answers after a handshake: later than who
// is less near and connected, sooner than who is far.
func TestReadOrder_handshakesTakeTime(t *testing.T) {
	hosts := connectedHosts(t, 3) // 1 and 2 are connected to 0
	n := &Node{host: hosts[0]}
	gone, unknown := peer.ID("gone"), peer.ID("unknown")
	for p, d := range map[peer.ID]time.Duration{
		hosts[1].ID(): 30 * time.Millisecond, gone: 10 * time.Millisecond, hosts[2].ID(): 200 * time.Millisecond,
	} {
		hosts[0].Peerstore().RecordLatency(p, d)
	}
	want := []peer.ID{hosts[0].ID(), hosts[1].ID(), gone, hosts[2].ID(), unknown}
	if got := n.readOrder([]peer.ID{unknown, hosts[2].ID(), gone, hosts[1].ID(), hosts[0].ID()}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// connectedHosts are n hosts of which the first is connected to all others.
func connectedHosts(t *testing.T, n int) (hosts []host.Host) {
	t.Helper()
	for range n {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Transport(tcp.NewTCPTransport), libp2p.DisableMetrics())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Close() })
		if hosts = append(hosts, h); len(hosts) == 1 {
			continue
		}
		if err := hosts[0].Connect(t.Context(), peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}); err != nil {
			t.Fatal(err)
		}
	}
	return hosts
}

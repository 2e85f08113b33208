package nodetest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node/nodetest"
)

func newHost(tb testing.TB, l *nodetest.Links, node int) host.Host {
	tb.Helper()
	h, err := l.Host(node, key(tb, node))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeAll(tb, h) })
	return h
}

func infoOf(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

// Two hosts ping each other in exactly a round trip, lose each other and meet again, in each of several bubbles of one process.
func TestHost_ping(t *testing.T) {
	for range 3 {
		inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
			a, b := newHost(t, l, 0), newHost(t, l, 1)
			if err := a.Connect(t.Context(), infoOf(b)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pings := ping.Ping(ctx, a, b.ID())
			<-pings // with protocol negotiation
			if r := <-pings; r.RTT != 2*latency || r.Error != nil {
				t.Errorf("ping took %v: %v", r.RTT, r.Error)
			}
			cancel()

			l.Partition([]int{0})
			elapse(timeout)
			if c := a.Network().Connectedness(b.ID()); c != network.NotConnected {
				t.Errorf("partitioned and %v", c)
			}
			l.Heal()
			if err := b.Connect(t.Context(), infoOf(a)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHost_wrongPeerID(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		a, b := newHost(t, l, 0), newHost(t, l, 1)
		wrong := peer.AddrInfo{ID: peerID(t, 2), Addrs: b.Addrs()}
		if err := a.Connect(t.Context(), wrong); err == nil {
			t.Error("connected to another peer than asked for")
		}
	})
}

// A hundred nodes join a DHT one after another, ten at a time, and then each finds most peers that are closest to a key.
func TestHost_hundredJoinDHT(t *testing.T) {
	nodes := 100
	if testing.Short() {
		nodes = 30
	}
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		var tables []*dht.IpfsDHT
		for node := range nodes {
			tables = append(tables, newDHT(t, newHost(t, l, node)))
		}
		first := infoOf(tables[0].Host())
		inParallel(t, tables[1:], func(ctx context.Context, d *dht.IpfsDHT) error {
			if err := d.Host().Connect(ctx, first); err != nil {
				return err
			}
			for d.RoutingTable().Size() == 0 { // identify has yet to tell that the peer speaks our DHT
				<-time.NewTimer(latency).C
			}
			_, err := d.GetClosestPeers(ctx, string(d.PeerID()))
			return err
		})
		inParallel(t, tables, func(ctx context.Context, d *dht.IpfsDHT) error {
			target := string(d.PeerID())[:16] // any key
			found, err := d.GetClosestPeers(ctx, target)
			if err != nil {
				return err
			}
			want := closest(tables, target, len(found))
			if n := missing(found, want); n > len(want)/4 { // itself, and peers that joined at the same moment
				return fmt.Errorf("found %d of the %d closest peers", len(want)-n, len(want))
			}
			return nil
		})
		t.Logf("%d nodes in %v of virtual time: %+v", nodes, time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), l.Stats())
	})
}

func newDHT(tb testing.TB, h host.Host) *dht.IpfsDHT {
	tb.Helper()
	d, err := dht.New(h, dht.Mode(dht.ModeServer), dht.ProtocolPrefix("/test"), dht.DisableProviders(), dht.DisableValues(), dht.DisableAutoRefresh())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeAll(tb, d) })
	return d
}

// inParallel calls f for ten at a time.
func inParallel(tb testing.TB, tables []*dht.IpfsDHT, f func(context.Context, *dht.IpfsDHT) error) {
	tb.Helper()
	group, ctx := errgroup.WithContext(tb.Context())
	group.SetLimit(10)
	for _, d := range tables {
		group.Go(func() error { return f(ctx, d) })
	}
	if err := group.Wait(); err != nil {
		tb.Error(err)
	}
}

func closest(tables []*dht.IpfsDHT, target string, n int) []peer.ID {
	var ids []peer.ID
	for _, d := range tables {
		ids = append(ids, d.PeerID())
	}
	sorted := kb.SortClosestPeers(ids, kb.ConvertKey(target))
	return sorted[:min(n, len(sorted))]
}

func missing(found, want []peer.ID) (n int) {
	for _, id := range want {
		if !slices.Contains(found, id) {
			n++
		}
	}
	return n
}

// A real resource manager given to a host stays in place.
func TestHost_keepsResourceManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := nodetest.NewLinks(nodetest.LinksConfig{})
		limits := new(countingLimits)
		h, err := l.Host(0, key(t, 0), libp2p.ResourceManager(limits))
		if err != nil {
			t.Fatal(err)
		}
		other := newHost(t, l, 1)
		if err := other.Connect(t.Context(), infoOf(h)); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		if limits.held.Load() != 1 {
			t.Errorf("%d connections counted", limits.held.Load())
		}
		closeAll(t, h)
		limits.mustBeFree(t)
	})
}

package node_test

import (
	"context"
	"testing"
	"time"

	rules "github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// eighths is a network of which every eighth of the ring is a neighbourhood of its own:
// each has two nodes or three, and two are enough.
func eighths(t *testing.T) nodetest.Config {
	return nodetest.Config{
		Nodes: 18, Network: shallow(t, 2, 8), Keys: 142,
		Links: nodetest.LinksConfig{Seed: 58}, Tune: healing(20 * time.Second),
	}
}

// stranded is that network when all of its nodes still hold everything although each is
// to hold an eighth.
func stranded(ctx context.Context, t *testing.T, net *nodetest.Network, network records.Network) (rs []*records.Record) {
	t.Helper()
	rs = library(t, network, 60)
	for _, x := range net.Nodes {
		if bits := x.Status().Prefix; bits != 3 {
			t.Fatalf("node %d has a prefix of %d bits", x.Index, bits)
		}
		net.PlantOn(ctx, x, rs)
	}
	return rs
}

// later has all clocks show how long it is since a moment, and lets every node act on it.
func later(net *nodetest.Network, since time.Time, passed time.Duration) {
	for _, x := range net.Nodes {
		x.Clock.Set(time.Until(since) + passed)
	}
	net.Pass(time.Minute)
}

// What lies outside of a region survives half as long with every bit that it is away. A
// node that does not see all members of a place yet keeps it for some minutes more.
func TestShed_survivorsByDistance(t *testing.T) {
	c := eighths(t)
	simulate(t, c, func(ctx context.Context, net *nodetest.Network) {
		rs := stranded(ctx, t, net, c.Network)
		began := time.Now()
		planted := map[int][4]int{}
		for _, x := range net.Nodes {
			planted[x.Index] = outside(x)
		}
		for _, passed := range []time.Duration{0, 170 * time.Minute, 190 * time.Minute, 350 * time.Minute, 370 * time.Minute, 710 * time.Minute, 730 * time.Minute} {
			later(net, began, passed)
			for _, x := range net.Nodes {
				want := planted[x.Index]
				for away := 1; away < len(want); away++ {
					if want[away] == 0 {
						t.Fatalf("node %d: nothing was planted %d bits away", x.Index, away)
					}
					if passed > rules.LeaseOf(away) {
						want[away] = 0
					}
				}
				for deadline := time.Now().Add(15 * time.Minute); outside(x) != want && time.Now().Before(deadline); {
					net.Pass(time.Minute)
				}
				if got := outside(x); got != want {
					t.Errorf("after %s node %d holds %v by distance, want %v", passed, x.Index, got, want)
				}
			}
		}
		mustHold(t, net, rs)
	})
}

// outside is how many entries a node holds, by how many bits they lie outside.
func outside(x *nodetest.Node) (n [4]int) {
	for away := range n {
		if away > 0 {
			n[away] = x.Outside(away)
		}
	}
	return n
}

// Where a store is short of room what is furthest away goes first, whatever its lease,
// and no more than is needed.
func TestShed_furthestFirst(t *testing.T) {
	c := eighths(t)
	simulate(t, c, func(ctx context.Context, net *nodetest.Network) {
		stranded(ctx, t, net, c.Network)
		x := net.Nodes[3]
		planted := outside(x)
		x.Disk.Free(1 << 20)
		deadline := time.Now().Add(5 * time.Minute)
		for x.Outside(3) > 0 && time.Now().Before(deadline) {
			net.Pass(time.Millisecond)
		}
		x.Disk.Free(1 << 40)
		net.Pass(2 * time.Minute)
		if got, want := outside(x), [4]int{0, planted[1], planted[2], 0}; got != want {
			t.Errorf("holds %v by distance, want %v", got, want)
		}
	})
}

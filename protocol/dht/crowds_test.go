package dht_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// A search finds everybody of a region who does not crowd, however many of one group
// lie there too, and of these no more than there is room for.
func TestFrontier_crowd(t *testing.T) {
	t.Parallel()
	const nodes, bucket, most, named = 200, 20, 2, 3
	one := netip.MustParsePrefix("9.9.0.0/16")
	crowd := map[peer.ID]bool{}
	for i := range nodes {
		crowd[numbered(i)] = i >= nodes/5 // tables are filled in this order
	}
	w := newWorld(nodes, bucket)
	for id, known := range w.tables { // as limited as those of real nodes
		seen := 0
		w.tables[id] = slices.DeleteFunc(known, func(p peer.ID) bool {
			if crowd[p] {
				seen++
			}
			return crowd[p] && seen > named
		})
	}
	w.crowded = func(f dht.Frontier) {
		f.Crowded(most, named, func(p peer.ID) []netip.Prefix {
			if crowd[p] {
				return []netip.Prefix{one}
			}
			return nil
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		from := w.ids[rapid.IntRange(0, nodes-1).Draw(t, "from")]
		target := dht.CoordinateOf(numbered(rapid.IntRange(0, 1<<20).Draw(t, "target")))
		bits := rapid.IntRange(0, 5).Draw(t, "bits")
		found, complete, f := w.search(from, target, bits, bucket)

		honest := slices.DeleteFunc(w.members(from, target, bits), func(p peer.ID) bool { return crowd[p] })
		least := honest[:min(len(honest), bucket-named-most-1)] // an answer leaves out who asks
		if complete {
			least = honest
		} else if len(honest)+most < bucket-named {
			t.Fatalf("incomplete with %d who do not crowd", len(honest))
		}
		for _, p := range least {
			if !slices.Contains(found, p) {
				t.Fatalf("region of %d bits, complete %v: one of %d was not found", bits, complete, len(least))
			}
		}
		if all := min(bucket, len(w.members(from, target, bits))); len(found) > all {
			t.Fatalf("found %d, want %d at most", len(found), all)
		}
		if f.InFlight() != 0 || f.Candidates() > dht.MaxCandidates*bucket {
			t.Fatalf("%d questions in flight, %d candidates", f.InFlight(), f.Candidates())
		}
	})
}

// One operator's ids, many times as many as all others, neither make a network seem
// larger nor its neighbourhoods smaller: everybody else who should is still found.
func TestIPGroups_crowdCountsForAFew(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		const operator, honest, crowd = 1000, 10, 24 // from number operator on, nodes are one operator's
		n.links = nodetest.NewLinks(nodetest.LinksConfig{Seed: 1, Subnet: func(i int) int { return min(i, operator) }})
		limits := dht.IPGroups{PerBucket: 2, PerTable: 3, PerPlace: 2}
		first := n.add(func(c *dht.Config) { c.IPGroups = limits })
		for range honest - 1 {
			n.add(func(c *dht.Config) { through(first)(c); c.IPGroups = limits })
		}
		n.eventually(time.Minute, n.settled)
		others := slices.Clone(n.servers())
		n.next = operator
		for range crowd {
			n.add(through(first)) // who has no limits of its own
		}
		pass(20 * time.Minute)
		for _, node := range others {
			if size := node.Status().Size; size > honest*1.5 {
				t.Errorf("node %d takes the network for one of %.0f, of %d and a crowd", node.number, size, honest)
			}
		}
		for i := range 40 {
			at := dht.CoordinateOf(peer.ID(fmt.Sprint("place ", i)))
			hood, err := first.Members(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			for _, node := range others {
				if node.at.SharedBits(at) >= hood.Bits && !slices.Contains(hood.Peers, node.host.ID()) {
					t.Errorf("place %d, %d bits: node %d is not among its %d members", i, hood.Bits, node.number, len(hood.Peers))
				}
			}
			if hood.Bits > 2 {
				t.Errorf("place %d has a neighbourhood of %d bits", i, hood.Bits)
			}
		}
	})
}

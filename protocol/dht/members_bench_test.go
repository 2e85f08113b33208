package dht_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// benchLatency is that of every link, one way.
const benchLatency = 5 * time.Millisecond

// benchNet is a settled network in real time, and a node of it whose clock can be
// put forward, so that what it knows of others' neighbourhoods expires.
func benchNet(b *testing.B, nodes, k int) (n *testNet, asker *testNode, forward func()) {
	b.Helper()
	links := nodetest.NewLinks(nodetest.LinksConfig{Seed: 1, Link: func(int, int) nodetest.Link {
		return nodetest.Link{Latency: benchLatency}
	}})
	n = newTestNet(b, "bench", records.Params{Neighbourhood: k}, links)
	var ahead atomic.Int64
	first := n.grow(nodes - 1)
	asker = n.add(func(c *dht.Config) {
		through(first)(c)
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	n.eventually(time.Minute, n.settled)
	return n, asker, func() { ahead.Add(int64(2 * dht.SurveyAge)) }
}

// Warm: places of known neighbourhoods. The bare cost is putting the members of
// one into order.
func BenchmarkMembers_warm(b *testing.B) {
	for _, c := range []struct{ nodes, k int }{{40, 4}, {60, 16}} {
		b.Run(fmt.Sprintf("%d nodes k %d", c.nodes, c.k), func(b *testing.B) {
			n, asker, _ := benchNet(b, c.nodes, c.k)
			rng := rand.New(rand.NewPCG(1, 1))
			places := make([]records.Coordinate, 256)
			for i := range places {
				places[i] = randomCoordinate(rng)
				if _, err := asker.Members(b.Context(), places[i]); err != nil {
					b.Fatal(err)
				}
			}
			for _, node := range n.servers() {
				if node != asker {
					n.links.Pause(node.number) // else their talk is measured too
				}
			}
			bare := sortingCost(n, places)
			before := asker.Status()
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := asker.Members(b.Context(), places[i%len(places)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/bare, "x-sorting")
			b.ReportMetric(float64(asker.Status().Searches-before.Searches)/float64(b.N), "searches/op")
		})
	}
}

// sortingCost is how many nanoseconds it takes to order the members of a place.
func sortingCost(n *testNet, places []records.Coordinate) float64 {
	const rounds = 20_000
	hoods := make([][]records.Coordinate, len(places))
	for i, c := range places {
		for _, p := range n.truth(c).Peers {
			hoods[i] = append(hoods[i], dht.CoordinateOf(p))
		}
		rand.Shuffle(len(hoods[i]), func(a, b int) { hoods[i][a], hoods[i][b] = hoods[i][b], hoods[i][a] })
	}
	start := time.Now()
	for i := range rounds {
		place := places[i%len(places)]
		slices.SortFunc(slices.Clone(hoods[i%len(places)]), func(a, b records.Coordinate) int { return dht.Nearer(place, a, b) })
	}
	return float64(time.Since(start).Nanoseconds()) / rounds
}

// Cold: every place is in a neighbourhood that has to be searched. The bare cost
// is one round trip; questions are counted too.
func BenchmarkMembers_cold(b *testing.B) {
	for _, c := range []struct{ nodes, k int }{{40, 4}, {60, 16}} {
		b.Run(fmt.Sprintf("%d nodes k %d", c.nodes, c.k), func(b *testing.B) {
			_, asker, forward := benchNet(b, c.nodes, c.k)
			rng := rand.New(rand.NewPCG(1, 1))
			before := asker.Status()
			var members []peer.ID
			for b.Loop() {
				forward()
				place := randomCoordinate(rng)
				hood, err := asker.Members(b.Context(), place)
				if err != nil {
					b.Fatal(err)
				}
				members = append(members, hood.Peers...)
			}
			after := asker.Status()
			perOp := func(total float64) float64 { return total / float64(b.N) }
			b.ReportMetric(perOp(float64(b.Elapsed())/float64(2*benchLatency)), "roundtrips/op")
			b.ReportMetric(perOp(float64(after.Finds-before.Finds)), "finds/op")
			b.ReportMetric(perOp(float64(after.Pings-before.Pings)), "pings/op")
			b.ReportMetric(perOp(float64(len(members))), "members/op")
		})
	}
}

package dht_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// around are the distances from a place to the nearest of so many nodes that stand
// at random: the order statistics of uniform variables, drawn one after the other.
func around(rng *rand.Rand, nodes int) []uint64 {
	distances := make([]uint64, min(nodes, 64))
	at := 0.0
	for i := range distances {
		at += (1 - at) * (1 - math.Pow(rng.Float64(), 1/float64(nodes-i)))
		distances[i] = uint64(at * math.Exp2(63) * 2)
	}
	return distances
}

// crowd adds nodes to distances that are nearer than all others.
func crowd(rng *rand.Rand, distances []uint64, nodes int) []uint64 {
	out := slices.Clone(distances)
	for range nodes {
		out = append(out, rng.Uint64N(distances[0]))
	}
	slices.Sort(out)
	return out
}

// The alarm over 10,000 places: how often it is false, and how often it sees so many
// ids that are nearer to a place than any honest node, when the size is known well
// and when it is off by what an estimate may be. The table is printed with -v.
func TestLookout_quality(t *testing.T) {
	t.Parallel()
	places := 10_000
	if testing.Short() {
		places = 2000
	}
	t.Logf("%6s %6s %9s %8s %8s %8s %8s", "nodes", "size", "false", "S=5", "S=10", "S=20", "S=32")
	for _, nodes := range []int{100, 1000, 5000} {
		for _, error := range []float64{0.85, 1, 1.15} {
			rng, l := rand.New(rand.NewPCG(uint64(nodes), 7)), dht.NewLookout()
			falseAlarms, seen := 0, map[int]int{}
			for range places {
				honest := around(rng, nodes)
				if l.Planted(float64(nodes)*error, honest) {
					falseAlarms++
				}
				for _, s := range []int{5, 10, 20, 32} {
					if l.Planted(float64(nodes+s)*error, crowd(rng, honest, s)) {
						seen[s]++
					}
				}
			}
			share := func(n int) float64 { return float64(n) / float64(places) }
			t.Logf("%6d %6.2f %9.5f %8.4f %8.4f %8.4f %8.4f", nodes, error, share(falseAlarms), share(seen[5]), share(seen[10]), share(seen[20]), share(seen[32]))
			if share(falseAlarms) > 0.01 || share(seen[20]) < 0.99 || share(seen[32]) < 0.99 {
				t.Errorf("%d nodes taken for %.0f: %.4f false, sees 20 ids at %.4f and 32 at %.4f of the places", nodes,
					float64(nodes)*error, share(falseAlarms), share(seen[20]), share(seen[32]))
			}
		}
	}
}

// The limits are those of a Poisson variable, here by its series.
func TestLookout_limits(t *testing.T) {
	t.Parallel()
	l := dht.NewLookout()
	for n := 1; n <= dht.PlantedDepth; n++ {
		mean := l.Limit(n)
		below, term := 0.0, math.Exp(-mean)
		for i := range n + 200 {
			if i >= n {
				below += term
			}
			term *= mean / float64(i+1)
		}
		if math.Abs(below/dht.PlantedOdds-1) > 1e-6 {
			t.Errorf("%d or more where %.6f are expected: odds %g, want %g", n, mean, below, dht.PlantedOdds)
		}
	}
}

// Of a place that is asked about all the time the alarm speaks once an hour.
func TestLookout_speaksOnce(t *testing.T) {
	t.Parallel()
	l, now := dht.NewLookout(), time.Unix(0, 0)
	news := 0
	for range 119 {
		now = now.Add(time.Minute)
		if l.Note(records.Coordinate{1}, now) {
			news++
		}
	}
	if news != 2 || !l.Note(records.Coordinate{2}, now) {
		t.Errorf("two hours of one place: spoke of it %d times, want 2; and of another at once", news)
	}
}

// Who was alone takes the network for smaller than the nodes that it finds, until it has
// counted anew.
func TestLookout_startingNetwork(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		first := n.add(nil)
		pass(time.Minute)
		for range 7 {
			n.add(through(first))
		}
		rng := rand.New(rand.NewPCG(3, 4))
		for range 200 {
			pass(50 * time.Millisecond)
			if _, err := first.Members(t.Context(), randomCoordinate(rng)); err != nil {
				t.Fatal(err)
			}
		}
		if s := first.Status(); s.Planted > 0 {
			t.Errorf("%d places look planted", s.Planted)
		}
	})
}

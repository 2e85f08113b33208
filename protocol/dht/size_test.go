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

func randomCoordinate(rng *rand.Rand) (c records.Coordinate) {
	for i := range c {
		c[i] = byte(rng.Uint32())
	}
	return c
}

// lookUp is what a lookup of a random key says of how many nodes there are.
func lookUp(rng *rand.Rand, nodes []records.Coordinate, rank int) float64 {
	key := randomCoordinate(rng)
	all := make([]float64, len(nodes))
	for i, n := range nodes {
		all[i] = dht.Fraction(key, n)
	}
	slices.Sort(all)
	return dht.SizeOf(rank, all[rank-1])
}

func randomRing(rng *rand.Rand, nodes int) []records.Coordinate {
	ring := make([]records.Coordinate, nodes)
	for i := range ring {
		ring[i] = randomCoordinate(rng)
	}
	return ring
}

// The table (-v) shows the standard deviation of the median over many networks.
func TestSizeEstimate_errorFallsWithTheSamples(t *testing.T) {
	t.Parallel()
	const networks = 60
	t.Logf("%6s %8s %8s %8s", "nodes", "samples", "mean", "error")
	for _, nodes := range []int{100, 1000} {
		for _, samples := range []int{1, 4, 16} {
			rng := rand.New(rand.NewPCG(uint64(nodes), uint64(samples)))
			var sum, squares float64
			for range networks {
				ring := randomRing(rng, nodes)
				var e dht.SizeEstimate
				for range samples {
					e.Sample(lookUp(rng, ring, 32), 32, time.Time{})
				}
				ratio := e.Raw() / float64(nodes)
				sum += ratio
				squares += ratio * ratio
			}
			mean := sum / networks
			deviation := math.Sqrt(squares/networks - mean*mean)
			t.Logf("%6d %8d %8.3f %7.1f%%", nodes, samples, mean, 100*deviation)
			if samples == 16 && (math.Abs(mean-1) > 0.05 || deviation > 0.12) {
				t.Errorf("%d nodes: mean %.3f, deviation %.3f; want within 5 and 12 per cent", nodes, mean, deviation)
			}
		}
	}
}

func TestSizeOf_evenlySpaced(t *testing.T) {
	t.Parallel()
	for _, n := range []int{100, 1000, 1e6} {
		if got := dht.SizeOf(32, 31/float64(n)); math.Abs(got-float64(n)) > 1e-6*float64(n) {
			t.Errorf("evenly spaced %d nodes: got %f", n, got)
		}
	}
	if got := dht.SizeOf(32, 0); math.IsInf(got, 0) || math.IsNaN(got) {
		t.Errorf("of no distance at all: got %f", got)
	}
}

// aged is an estimate that has taken a window full of samples of one size.
func aged(size float64) (e dht.SizeEstimate, now time.Time) {
	for range 16 {
		now = now.Add(2 * time.Minute)
		e.Sample(size, 32, now)
	}
	return e, now
}

// Nearly half of all lookups may lie, by whatever factor: the estimate stays where
// the honest ones are.
func TestSizeEstimate_minorityMovesNothing(t *testing.T) {
	t.Parallel()
	for _, lie := range []float64{32, 100, 1e6, 1e12} {
		e, now := aged(1000)
		rng := rand.New(rand.NewPCG(1, uint64(lie)))
		for round := range 500 {
			now = now.Add(2 * time.Minute)
			said := 1000 * (0.8 + 0.4*rng.Float64())
			if round%16 < 7 {
				said = lie
			}
			e.Sample(said, 32, now)
			if got := e.Size(); got < 800 || got > 1200 {
				t.Fatalf("round %d, lies of %g: moved to %.0f", round, lie, got)
			}
		}
	}
}

// Who makes all lookups lie moves the estimate by a factor an hour, however often
// it is asked, and never below what is counted.
func TestSizeEstimate_majorityMovesSlowly(t *testing.T) {
	t.Parallel()
	for _, lie := range []float64{1, 1e9} {
		for _, pace := range []time.Duration{time.Second, 2 * time.Minute, 20 * time.Minute} {
			e, now := aged(1000)
			began := now
			for now.Sub(began) < 6*time.Hour {
				now = now.Add(pace)
				e.Sample(lie, 40, now)
				most := math.Pow(dht.SizeHourly, now.Sub(began).Hours())
				if got := e.Size(); got > 1000*most*1.000001 || got < 1000/most*0.999999 {
					t.Fatalf("every %s, after %s: moved from 1000 to %.0f", pace, now.Sub(began), got)
				}
			}
			if got := e.Size(); lie > 1 && got < 1900 || lie == 1 && got > 520 {
				t.Errorf("every %s: after hours of lookups that agree still at %.0f", pace, got)
			}
		}
	}
	e, now := aged(1000)
	for range 1000 {
		now = now.Add(time.Hour)
		e.Sample(1, 400, now)
	}
	if e.Size() != 400 {
		t.Errorf("400 nodes are counted, estimated are %.0f", e.Size())
	}
}

// The first lookups in a network that has just become too large to be counted may all
// end among ids that stand together. What was counted outweighs them for a while.
func TestSizeEstimate_countedOutweighs(t *testing.T) {
	t.Parallel()
	var e dht.SizeEstimate
	e.Count(32, time.Time{})
	for i := range 4 {
		if e.Sample(1000, 33, time.Time{}); e.Size() != 33 {
			t.Fatalf("after %d lookups there are %.0f", i+1, e.Size())
		}
	}
	for range 2 {
		e.Sample(1000, 33, time.Time{})
	}
	if e.Size() != 1000 {
		t.Fatalf("most lookups say 1000, and there are %.0f", e.Size())
	}
}

// Who begins, and a network that outgrows counting, follows the first samples.
func TestSizeEstimate_youngFollows(t *testing.T) {
	t.Parallel()
	var e dht.SizeEstimate
	e.Count(30, time.Time{})
	for range dht.YoungSamples {
		e.Sample(5000, 32, time.Time{})
	}
	if e.Size() != 5000 {
		t.Errorf("got %.0f, want 5000", e.Size())
	}
}

// Nodes that answered are there: growth by count is believed at once. Few
// answers may be our own fault: shrinking takes steps.
func TestSizeEstimate_countGrowsAtOnce(t *testing.T) {
	t.Parallel()
	var (
		e   dht.SizeEstimate
		now time.Time
	)
	e.Count(5, now)
	e.Count(19, now)
	if e.Size() != 19 {
		t.Fatalf("got %.1f, want 19", e.Size())
	}
	e.Count(2, now)
	if want := 19 / dht.SizeStep; e.Size() != want {
		t.Errorf("after one count of 2: got %.1f, want %.1f", e.Size(), want)
	}
	for range 20 {
		e.Count(2, now)
	}
	if e.Size() != 2 {
		t.Errorf("after many counts of 2: got %.1f", e.Size())
	}
}

// A handful of liars that keep a lookup among themselves look like the whole of a
// small network. In one that is known to be large that is one opinion.
func TestSizeEstimate_countIsAnOpinionInALargeNetwork(t *testing.T) {
	t.Parallel()
	e, now := aged(1000)
	for range 7 {
		now = now.Add(2 * time.Minute)
		e.Count(5, now)
	}
	if got := e.Size(); got != 1000 {
		t.Errorf("after seven lookups among liars: got %.0f, want 1000", got)
	}
}

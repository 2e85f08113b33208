package dht_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

func randomCoordinate(rng *rand.Rand) (c records.Coordinate) {
	for i := range c {
		c[i] = byte(rng.Uint32())
	}
	return c
}

// distances is what a lookup of a random key tells: how far away the nearest
// nodes are.
func distances(rng *rand.Rand, nodes []records.Coordinate, nearest int) []float64 {
	key := randomCoordinate(rng)
	all := make([]float64, len(nodes))
	for i, n := range nodes {
		all[i] = dht.Fraction(key, n)
	}
	slices.Sort(all)
	return all[:nearest]
}

// The table (-v) shows the standard deviation of the fit over many networks.
func TestFitSize_errorFallsWithTheSamples(t *testing.T) {
	t.Parallel()
	const networks = 60
	t.Logf("%6s %8s %8s %8s", "nodes", "samples", "mean", "error")
	for _, nodes := range []int{100, 1000} {
		for _, samples := range []int{1, 4, 16} {
			rng := rand.New(rand.NewPCG(uint64(nodes), uint64(samples)))
			var sum, squares float64
			for range networks {
				ring := make([]records.Coordinate, nodes)
				for i := range ring {
					ring[i] = randomCoordinate(rng)
				}
				var lookups [][]float64
				for range samples {
					lookups = append(lookups, distances(rng, ring, 20))
				}
				ratio := dht.FitSize(lookups) / float64(nodes)
				sum += ratio
				squares += ratio * ratio
			}
			mean := sum / networks
			deviation := math.Sqrt(squares/networks - mean*mean)
			t.Logf("%6d %8d %8.3f %7.1f%%", nodes, samples, mean, 100*deviation)
			if samples == 16 && (math.Abs(mean-1) > 0.05 || deviation > 0.15) {
				t.Errorf("%d nodes: mean %.3f, deviation %.3f; want within 5 and 15 per cent", nodes, mean, deviation)
			}
		}
	}
}

func TestFitSize_exactDistances(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 10, 1000, 1e6} {
		var d []float64
		for i := range 20 {
			d = append(d, float64(i+1)/float64(n+1))
		}
		if got := dht.FitSize([][]float64{d, d}); math.Abs(got-float64(n)) > 1e-6*float64(n) {
			t.Errorf("evenly spaced %d nodes: got %f", n, got)
		}
	}
}

// An estimate follows the first samples as they come, then moves by a step at most.
func TestSizeEstimate_movesSlowly(t *testing.T) {
	t.Parallel()
	dense := make([]float64, 20)
	sparse := make([]float64, 20)
	for i := range dense {
		dense[i] = float64(i+1) / 1e6
		sparse[i] = float64(i+1) / 1000
	}
	var e dht.SizeEstimate
	for range 8 {
		e.Sample(sparse)
	}
	if got := e.Size(); math.Abs(got-999) > 1 {
		t.Fatalf("first samples: got %.0f, want 999", got)
	}
	for step := range 40 {
		before := e.Size()
		e.Sample(dense)
		if e.Size() > before*dht.SizeStep*1.000001 {
			t.Fatalf("step %d: moved from %.0f to %.0f", step, before, e.Size())
		}
	}
	if got := e.Size(); math.Abs(got-999999) > 1 {
		t.Errorf("after all samples are dense: got %.0f, want 999999", got)
	}
}

// Nodes that answered are there: growth by count is believed at once. Few
// answers may be our own fault: shrinking takes steps.
func TestSizeEstimate_countGrowsAtOnce(t *testing.T) {
	t.Parallel()
	var e dht.SizeEstimate
	e.Count(5)
	e.Count(19)
	if e.Size() != 19 {
		t.Fatalf("got %.1f, want 19", e.Size())
	}
	e.Count(2)
	if want := 19 / dht.SizeStep; e.Size() != want {
		t.Errorf("after one count of 2: got %.1f, want %.1f", e.Size(), want)
	}
	for range 20 {
		e.Count(2)
	}
	if e.Size() != 2 {
		t.Errorf("after many counts of 2: got %.1f", e.Size())
	}
}

package reconcile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/starling-social/starling/records/reconcile"
)

// What it takes to find out how two sets differ, beside sending all of one: 96
// bytes for each element, and the elements read.
func BenchmarkReconcile(b *testing.B) {
	for _, size := range []int{1_000, 10_000, 100_000, 1_000_000} {
		benchmark(b, random(rand.New(rand.NewPCG(1, 2)), size+1_000))
	}
}

// The same where places are full: 64 elements at each coordinate.
func BenchmarkFullPlaces(b *testing.B) {
	all := random(rand.New(rand.NewPCG(1, 2)), 1_001_000)
	for i := range all {
		all[i].At = all[i*7919%len(all)/64].At
	}
	benchmark(b, all)
}

func benchmark(b *testing.B, all []reconcile.Element) {
	b.Helper()
	size := len(all) - 1_000
	ours := setOf(all[:size])
	for _, differences := range []int{0, 10, 1_000} {
		theirs := ours
		if differences > 0 {
			theirs = setOf(slices.Concat(all[differences/2:size], all[size:size+differences/2]))
		}
		b.Run(fmt.Sprintf("elements=%d/differ=%d", size, differences), func(b *testing.B) {
			var t talk
			for b.Loop() {
				ours.read, theirs.read = 0, 0
				t = between(b, ours, theirs, wide)
			}
			if len(t.found) != differences {
				b.Fatalf("%d differences, want %d", len(t.found), differences)
			}
			bytes := t.sent + t.received
			b.ReportMetric(float64(bytes), "bytes")
			b.ReportMetric(float64(t.messages), "rounds")
			b.ReportMetric(float64(ours.read+theirs.read), "read")
			b.ReportMetric(float64(bytes)/float64(96*size), "x-all")
			if differences > 0 {
				b.ReportMetric(float64(bytes)/float64(differences), "bytes/difference")
			}
		})
	}
}

var _ reconcile.Set = (*memory)(nil)

package dht_test

import (
	"testing"
	"time"

	"github.com/starling-social/starling/protocol/dht"
)

// A node that others rely on changes its prefix when two looks in a row say so, by
// as much as both say, and is unsure in between.
func TestRule_looksTwice(t *testing.T) {
	const k = 4
	r := dht.Rule{K: k, Self: 1}
	r.Count(64, time.Time{})
	wide, deep := dht.Census{32, 16, 8, 7}, dht.Census{32, 16, 15}
	if got := r.Next(0, wide, false); got != 3 {
		t.Fatalf("a node that joins takes %d bits, want 3 at once", got)
	}
	for _, c := range []struct {
		nodes  dht.Census
		from   int
		want   int
		unsure bool
	}{
		{wide, 3, 3, false},
		{deep, 3, 3, true}, // its sibling is empty: once may be a mistake
		{wide, 3, 3, false},
		{deep, 3, 3, true},
		{deep, 3, 2, false},
		{wide, 2, 2, true},
		{wide, 2, 3, false},
	} {
		got := r.Next(c.from, c.nodes, true)
		if got != c.want || r.Unsure(c.from) != c.unsure && got == c.from {
			t.Errorf("from %d bits to %d, unsure %t; want %d, %t", c.from, got, r.Unsure(c.from), c.want, c.unsure)
		}
	}
}

func TestAgreed_table(t *testing.T) {
	counts := []int{64, 30, 15, 8, 3, 1}
	for _, c := range []struct {
		name  string
		told  [3]int
		least int
		want  int
	}{
		{"the median", [3]int{2, 9, 3}, 0, 3},
		{"never fewer than K", [3]int{5, 5, 5}, 0, 3},
		{"too few in all that was searched", [3]int{5, 5, 5}, 4, 3},
		{"shorter than was searched", [3]int{1, 1, 2}, 2, 1},
	} {
		if got := dht.Agreed(c.told, c.least, 4, func(bits int) int { return counts[bits] }); got != c.want {
			t.Errorf("%s: %d bits, want %d", c.name, got, c.want)
		}
	}
}

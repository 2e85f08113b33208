package dht_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
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

// Three ids made for a place tell that they hold the whole ring: that is not believed
// where both halves are thick, and is where one is thin, or the network is small.
func TestDeepened_table(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		agreed int
		size   float64
		shared []int // known members that share exactly so many bits with the place; the last, or more
		want   int
	}{
		{"thick halves", 0, 64, []int{30, 16, 8, 8}, 3},
		{"what is agreed is no shorter", 3, 64, []int{30, 16, 8, 8}, 3},
		{"the other half is thin", 0, 64, []int{30, 3, 8, 8}, 1},
		{"this half is thin", 0, 64, []int{30, 16, 8, 3}, 2},
		{"the size may be that of a smaller network", 0, 40, []int{30, 16, 8, 8}, 2},
		{"nothing is known of the size", 0, 0, []int{30, 16, 8, 8}, 0},
	} {
		sum := func(n []int) (all int) {
			for _, x := range n {
				all += x
			}
			return all
		}
		got := dht.Deepened(c.agreed, 4, c.size, func(bits int) int { return sum(c.shared[min(bits+1, len(c.shared)):]) },
			func(bits int) int { return c.shared[bits] })
		if got != c.want {
			t.Errorf("%s: %d bits, want %d", c.name, got, c.want)
		}
	}
}

// What honest nodes agree on is left as it is, in whatever network, and whatever a
// reader thinks of its size within the error of estimates.
func TestDeepened_honestStands(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(3, 8).Draw(t, "k")
		n := rapid.IntRange(k, 200).Draw(t, "nodes")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		nodes := ring(rng, n, k, max(20, 4*k), 0.03) // at three deviations 9 % off
		c := randomCoordinate(rng)
		near := slices.Clone(nodes)
		slices.SortFunc(near, func(a, b ringNode) int { return dht.Nearer(c, a.at, b.at) })
		agreed := dht.Median(near[0].prefix, near[1].prefix, near[2].prefix)
		shared := func(from, to int) (count int) {
			for _, x := range nodes {
				if bits := c.SharedBits(x.at); bits >= from && bits <= to {
					count++
				}
			}
			return count
		}
		size := float64(n) * rapid.Float64Range(0.9, 1.1).Draw(t, "estimate")
		got := dht.Deepened(agreed, k, size, func(bits int) int { return shared(bits+1, 256) }, func(bits int) int { return shared(bits, bits) })
		if got != agreed {
			t.Errorf("%d nodes, k %d: agreed on %d bits, taken for %d", n, k, agreed, got)
		}
	})
}

// Where there are more than are asked, those who hold the place whichever prefix is right
// are asked first: many ids made for it keep none of them out as long as there is room.
func TestAtMost_coreFirst(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	for range 20 {
		const limit = 32
		c := randomCoordinate(rng)
		nodes := ring(rng, 60, 8, limit, 0)
		core := within(nodes, dht.RegionOf(c, 2))
		made := make([]records.Coordinate, limit/2)
		for i := range made {
			made[i] = c
			made[i][31] ^= byte(i + 1)
		}
		kept := map[records.Coordinate]bool{}
		for _, at := range dht.AtMost(placesOf(nodes, made), c, 2, limit) {
			kept[at] = true
		}
		if len(core)+len(made) > limit {
			continue
		}
		if len(kept) != limit {
			t.Errorf("%d kept, want %d", len(kept), limit)
		}
		for _, x := range core {
			if !kept[x.at] {
				t.Errorf("a member that surely holds the place is left out, of %d and %d made for it", len(core), len(made))
			}
		}
	}
}

func placesOf(nodes []ringNode, more []records.Coordinate) (all []records.Coordinate) {
	for _, n := range nodes {
		all = append(all, n.at)
	}
	return append(all, more...)
}

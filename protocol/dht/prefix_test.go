package dht_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

func TestPrefixLength_cases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		k      int
		size   float64
		shared map[int]int
		want   int
	}{
		{"alone", 4, 1, nil, 0},
		{"just too small", 4, 7.9, map[int]int{0: 4, 1: 3}, 0},
		{"two halves of k, ourselves counted", 4, 8, map[int]int{0: 4, 1: 3}, 1},
		{"own half short of k", 4, 100, map[int]int{0: 40, 1: 2}, 0},
		{"far half short of k", 4, 100, map[int]int{0: 3, 1: 40}, 0},
		{"short half deeper down stops there", 4, 1000, map[int]int{0: 20, 1: 20, 2: 3, 3: 20}, 2},
		{"the estimate caps", 4, 16, map[int]int{0: 20, 1: 20, 2: 20, 3: 20}, 2},
		{"never beyond the longest", 1, 1e12, map[int]int{
			0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1, 10: 1,
			11: 1, 12: 1, 13: 1, 14: 1, 15: 1, 16: 1, 17: 1, 18: 1, 19: 1, 20: 9,
		}, dht.MaxPrefix},
	} {
		if got := dht.PrefixLength(c.k, dht.NewView(c.size, c.shared, 1)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// A missing member shortens the prefix at once, a trembling estimate does not.
func TestNextPrefix_hysteresis(t *testing.T) {
	t.Parallel()
	full := map[int]int{0: 20, 1: 20, 2: 20}
	for _, c := range []struct {
		name    string
		current int
		size    float64
		shared  map[int]int
		want    int
	}{
		{"grows as the rule says", 0, 16, full, 2},
		{"stays under a slightly smaller estimate", 2, 16 / 1.2, full, 2},
		{"falls under a clearly smaller one", 2, 16 / 1.3, full, 1},
		{"falls at once when a half runs short", 2, 16, map[int]int{0: 20, 1: 3, 2: 20}, 1},
	} {
		if got := dht.NextPrefix(c.current, 4, dht.NewView(c.size, c.shared, 1)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// What hysteresis adds never breaks the promise: with the next prefix, too,
// both halves at every level passed have k known members.
func TestNextPrefix_keepsTheCount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 20).Draw(t, "k")
		size := rapid.Float64Range(1, 1e6).Draw(t, "size")
		shared := map[int]int{}
		total := 1
		for i := range dht.MaxPrefix + 1 {
			shared[i] = rapid.IntRange(0, 3*k).Draw(t, "shared")
			total += shared[i]
		}
		current := rapid.IntRange(0, dht.MaxPrefix).Draw(t, "current")
		next := dht.NextPrefix(current, k, dht.NewView(size, shared, 1))
		if plain := dht.PrefixLength(k, dht.NewView(size, shared, 1)); next < plain || next > max(plain, current) {
			t.Fatalf("next %d lies outside the rule's %d and the present %d", next, plain, current)
		}
		for p := range next {
			total -= shared[p]
			if shared[p] < k || total < k {
				t.Fatalf("prefix %d passed level %d with halves of %d and %d, k is %d", next, p, shared[p], total, k)
			}
		}
	})
}

func TestMedian_isTheMiddleOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		three := rapid.SliceOfN(rapid.IntRange(0, 9), 3, 3).Draw(t, "three")
		got := dht.Median(three[0], three[1], three[2])
		slices.Sort(three)
		if got != three[1] {
			t.Fatalf("got %d, want %d", got, three[1])
		}
	})
}

// ringNode is a node of the simulated ring: where it stands and the prefix it chose.
type ringNode struct {
	at     records.Coordinate
	prefix int
}

// ring places n nodes at random and lets each choose its prefix from an
// estimate that is off by a normal error and from the members that a routing
// table with the given bucket size knows.
func ring(rng *rand.Rand, n, k, bucket int, estimateError float64) []ringNode {
	nodes := make([]ringNode, n)
	for i := range nodes {
		for b := range nodes[i].at {
			nodes[i].at[b] = byte(rng.Uint32())
		}
	}
	slices.SortFunc(nodes, func(a, b ringNode) int { return slices.Compare(a.at[:], b.at[:]) })
	for i := range nodes {
		size := float64(n) * max(0.3, 1+estimateError*rng.NormFloat64())
		nodes[i].prefix = dht.PrefixLength(k, dht.NewView(size, sharedWith(nodes, i, bucket), 1))
	}
	return nodes
}

// sharedWith counts how many of nodes share how many bits with nodes[i], each
// bucket capped.
func sharedWith(nodes []ringNode, i, bucket int) map[int]int {
	shared := map[int]int{}
	inside := nodes
	for bits := 0; len(inside) > 1 && bits < dht.MaxPrefix; bits++ {
		near := within(inside, dht.RegionOf(nodes[i].at, bits+1))
		shared[bits] = min(bucket, len(inside)-len(near))
		inside = near
	}
	shared[dht.MaxPrefix] += len(inside) - 1
	return shared
}

// within is the part of nodes, which are sorted, that lies in r.
func within(nodes []ringNode, r dht.Region) []ringNode {
	from := sort.Search(len(nodes), func(i int) bool { return !before(nodes[i].at, r) })
	to := from + sort.Search(len(nodes)-from, func(i int) bool { return !r.Holds(nodes[from+i].at) })
	return nodes[from:to]
}

// before tells whether c lies before r on the ring.
func before(c records.Coordinate, r dht.Region) bool {
	first := dht.RegionOf(c, r.Bits())
	return first != r && dht.Nearer(records.Coordinate{}, c, r.Prefix()) < 0
}

// holders counts, for every cell of the ring at the longest prefix, the nodes
// whose own prefix covers it.
func holders(nodes []ringNode) []int {
	deepest := 0
	for _, n := range nodes {
		deepest = max(deepest, n.prefix)
	}
	cells := make([]int, 1<<deepest)
	for _, n := range nodes {
		first := 0
		for bit := range n.prefix {
			first = first<<1 | int(n.at[bit/8]>>(7-bit%8)&1)
		}
		width := 1 << (deepest - n.prefix)
		for c := first * width; c < (first+1)*width; c++ {
			cells[c]++
		}
	}
	return cells
}

// readerSees is what somebody who reads at c takes for the members, by the
// median prefix of the three nearest, and how many of those hold c.
func readerSees(nodes []ringNode, c records.Coordinate, k int) (members, holding int) {
	var near []ringNode
	for bits := dht.MaxPrefix; bits >= 0 && len(near) < min(len(nodes), 4*k); bits-- {
		near = within(nodes, dht.RegionOf(c, bits))
	}
	near = slices.Clone(near)
	slices.SortFunc(near, func(a, b ringNode) int { return dht.Nearer(c, a.at, b.at) })
	bits := dht.Median(near[0].prefix, near[1].prefix, near[2].prefix)
	for _, n := range near[:min(len(near), 4*k)] {
		if !dht.RegionOf(c, bits).Holds(n.at) {
			break
		}
		members++
		if dht.RegionOf(n.at, n.prefix).Holds(c) {
			holding++
		}
	}
	return members, holding
}

func spread(counts []int) string {
	slices.Sort(counts)
	return fmt.Sprintf("%4d %4d %4d", counts[0], counts[len(counts)/2], counts[len(counts)-1])
}

// Every place on the ring has at least k nodes that hold it, whatever the size
// of the network and although no two nodes agree on it. The table (-v) shows
// smallest, median and largest of: holders of a place, members a reader sees,
// and those of them that hold the place.
func TestPrefixLength_atLeastKHoldersEverywhere(t *testing.T) {
	t.Parallel()
	const estimateError = 0.15
	t.Logf("%6s %3s %7s   %-14s   %-14s   %-14s", "nodes", "k", "prefix", "holders", "members seen", "of them hold")
	for _, k := range []int{4, 16} {
		for _, n := range []int{1, k, 2*k - 1, 33, 40, 64, 100, 200, 500, 1000, 3000, 10000} {
			rng := rand.New(rand.NewPCG(uint64(n), uint64(k)))
			nodes := ring(rng, n, k, max(20, 4*k), estimateError)
			held := holders(nodes)
			low, high := 99, 0
			for _, node := range nodes {
				low, high = min(low, node.prefix), max(high, node.prefix)
			}
			if least := slices.Min(held); least < min(k, n) {
				t.Errorf("%d nodes, k %d: a place has only %d holders", n, k, least)
			}
			if n < 2*k && high > 0 {
				t.Errorf("%d nodes, k %d: a prefix is %d in a network in which all hold everything", n, k, high)
			}
			seen, holding := readings(rng, nodes, k)
			t.Logf("%6d %3d %3d-%-3d   %s   %s   %s", n, k, low, high, spread(held), spread(seen), spread(holding))
		}
	}
}

// K is the network's: of two with the same nodes, the one with four times the K has about
// four times as many holders of each place.
func TestPrefixLength_holdersFollowK(t *testing.T) {
	t.Parallel()
	const n = 1000
	median := func(k int) int {
		held := holders(ring(rand.New(rand.NewPCG(1, 1)), n, k, max(20, 4*k), 0))
		slices.Sort(held)
		return held[len(held)/2]
	}
	few, many := median(4), median(16)
	if few < 4 || many < 16 || many < 3*few || many > 5*few {
		t.Errorf("%d holders of a place with K = 4, %d with K = 16", few, many)
	}
}

// The same holds for ids that somebody chose and for estimates that are plainly
// wrong. Why: take the longest prefix of a place along which every half passed
// has k members. One half of the region reached has fewer, so nobody in that
// region goes further, and all of its k or more members hold the place.
func TestPrefixLength_atLeastKHoldersOfAnyIds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 6).Draw(t, "k")
		first := rapid.SliceOfN(rapid.Byte(), 1, 120).Draw(t, "ids")
		nodes := make([]ringNode, len(first))
		for i, b := range first {
			nodes[i].at[0], nodes[i].at[31] = b, byte(i)
		}
		slices.SortFunc(nodes, func(a, b ringNode) int { return slices.Compare(a.at[:], b.at[:]) })
		for i := range nodes {
			size := rapid.Float64Range(1, 1e5).Draw(t, "estimate")
			nodes[i].prefix = dht.PrefixLength(k, dht.NewView(size, sharedWith(nodes, i, 4*k), 1))
		}
		if least := slices.Min(holders(nodes)); least < min(k, len(nodes)) {
			t.Fatalf("a place has only %d holders, k is %d", least, k)
		}
	})
}

// readings is what readers of random places see, in networks of three or more.
func readings(rng *rand.Rand, nodes []ringNode, k int) (seen, holding []int) {
	if len(nodes) < 3 {
		return []int{1}, []int{1}
	}
	for range 200 {
		var c records.Coordinate
		for b := range c {
			c[b] = byte(rng.Uint32())
		}
		members, hold := readerSees(nodes, c, k)
		seen, holding = append(seen, members), append(holding, hold)
	}
	return seen, holding
}

// Whatever the nodes nearest to a place tell, of a network of our size only prefixes
// that it would have are believed; what honest ones tell always is.
func TestBelievable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(4, 20).Draw(t, "k")
		size := rapid.Float64Range(1, 1e6).Draw(t, "size")
		told := rapid.IntRange(0, dht.MaxPrefix).Draw(t, "told")
		got := dht.Believable(told, k, size)
		if expected := size / math.Exp2(float64(got)); got > 0 && expected < float64(k)/1.16 {
			t.Errorf("told %d bits, believe %d: %.1f nodes expected there, want %d", told, got, expected, k)
		}
		off := rapid.Float64Range(1/1.4, 1.15).Draw(t, "off")
		honest := dht.SizePrefix(k, size*off) - rapid.IntRange(0, 2).Draw(t, "thin")
		if honest = max(honest, 0); dht.Believable(honest, k, size) != honest {
			t.Errorf("an honest prefix of %d bits in a network of %.0f is not believed", honest, size)
		}
	})
	if got := dht.Believable(9, 16, 0); got != 9 {
		t.Errorf("before the size is known: %d bits of 9 believed", got)
	}
}

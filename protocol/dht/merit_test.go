package dht_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// Trusted before fast, fast before old; small differences do not count.
func TestMerit_order(t *testing.T) {
	t.Parallel()
	old, young := noon.Add(-time.Hour), noon
	better := []dht.Merit{ // each is preferred to the next
		dht.NewMerit(0.9, 10*time.Millisecond, old),
		dht.NewMerit(0.5, 15*time.Millisecond, young),
		dht.NewMerit(0.7, 12*time.Millisecond, time.Time{}),
		dht.NewMerit(0.6, 200*time.Millisecond, old),
		dht.NewMerit(0.6, 200*time.Millisecond, young),
		dht.NewMerit(0.3, time.Millisecond, old),
		dht.NewMerit(0.1, time.Millisecond, old),
	}
	for i, a := range better {
		for j, b := range better {
			if got := a.Compare(b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%d against %d: %d", i, j, got)
			}
		}
	}
	if dht.NewMerit(0.55, 21*time.Millisecond, old).Compare(dht.NewMerit(0.95, 39*time.Millisecond, old)) != 0 {
		t.Error("small differences count")
	}
}

// Whatever is thought of nodes, a search finds the same ones, and is not led further
// around.
func TestFrontier_meritsDoNotChangeWhatIsFound(t *testing.T) {
	t.Parallel()
	const nodes, k = 300, 4
	bucket := dht.BucketSize(k)
	w := newWorld(nodes, bucket)
	plain, preferring := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		from := w.ids[rapid.IntRange(0, nodes-1).Draw(t, "from")]
		target := records.Coordinate(sha256.Sum256(binary.BigEndian.AppendUint64(nil, seed)))
		bits := 0
		for len(w.members(from, target, bits)) >= bucket {
			bits++
		}
		w.merit = nil
		want, complete, f := w.search(from, target, bits, bucket)
		plain += f.Hops()
		w.merit = func(p peer.ID) dht.Merit {
			h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(p), seed))
			return dht.NewMerit(float64(h[0])/255, time.Duration(h[1])*time.Millisecond, time.Unix(int64(h[2]), 0))
		}
		defer func() { w.merit = nil }()
		got, all, f := w.search(from, target, bits, bucket)
		preferring += f.Hops()
		if !slices.Equal(got, want) || all != complete {
			t.Fatalf("found %d (all %v), want %d (all %v)", len(got), all, len(want), complete)
		}
	})
	if preferring > plain+plain/20 {
		t.Errorf("%d hops, %d without preferences", preferring, plain)
	}
}

// Of those that are at most twice as far from the target as the nearest who was not asked
// yet, the one of the greatest merit is asked, by score and then by round trip; who is
// further away waits, be it ever so good.
func TestFrontier_asksTheBetterFirst(t *testing.T) {
	t.Parallel()
	ahead := 0 // times that somebody was asked before a nearer one
	rapid.Check(t, func(t *rapid.T) {
		ids := make([]peer.ID, rapid.IntRange(2, 40).Draw(t, "nodes"))
		merits := map[peer.ID]dht.Merit{}
		for i := range ids {
			ids[i] = numbered(i)
			merits[ids[i]] = dht.NewMerit(rapid.Float64Range(0, 1).Draw(t, "score"), rapid.SampledFrom([]time.Duration{10 * time.Millisecond, 200 * time.Millisecond}).Draw(t, "rtt"), time.Time{})
		}
		target := records.Coordinate(sha256.Sum256(binary.BigEndian.AppendUint64(nil, rapid.Uint64().Draw(t, "target"))))
		distance := func(p peer.ID) uint64 {
			c := dht.CoordinateOf(p)
			return binary.BigEndian.Uint64(c[:]) ^ binary.BigEndian.Uint64(target[:])
		}
		f := dht.NewFrontier(target, 0, len(ids))
		f.Prefer(func(p peer.ID) dht.Merit { return merits[p] })
		f.Add(ids...)
		left := nearestOf(ids, target, len(ids))
		for p, _, ok := f.Next(); ok; p, _, ok = f.Next() {
			want := left[0]
			for _, q := range left {
				if distance(q)/2 <= distance(left[0]) && merits[q].Compare(merits[want]) < 0 {
					want = q
				}
			}
			if p != want {
				t.Fatalf("asks %x, want %x", p, want)
			}
			if p != left[0] {
				ahead++
			}
			left = slices.DeleteFunc(left, func(q peer.ID) bool { return q == p })
			f.Answer(p, nil)
		}
		if len(left) > 0 {
			t.Fatalf("%d were never asked", len(left))
		}
	})
	if ahead == 0 {
		t.Error("the nearest was always asked first: the test shows nothing")
	}
}

// Hops grow with the logarithm of the network: each halves the distance at least, and
// the last buckets' width of nodes knows each other.
func TestFrontier_hopsGrowWithLog(t *testing.T) {
	t.Parallel()
	const bucket, searches = 20, 60
	sizes := []int{100, 400, 1600}
	if testing.Short() {
		sizes = sizes[:2]
	}
	for _, nodes := range sizes {
		w := newWorld(nodes, bucket)
		total := 0
		for i := range searches {
			target := dht.CoordinateOf(numbered(1_000_000 + i))
			_, _, f := w.search(w.ids[i], target, 0, bucket)
			total += f.Hops()
		}
		mean, bound := float64(total)/searches, 1+math.Log2(float64(nodes)/bucket)/2
		t.Logf("%d nodes: %.2f hops, at most %.2f", nodes, mean, bound)
		if mean > bound {
			t.Errorf("%d nodes: %.2f hops, want at most %.2f", nodes, mean, bound)
		}
	}
}

// Who is late is not waited for once as many have answered, others are asked in its
// place, and it counts again when it answers.
func TestFrontier_late(t *testing.T) {
	t.Parallel()
	w := newWorld(12, 20)
	f := dht.NewFrontier(dht.CoordinateOf("somewhere"), 0, 20)
	f.Add(w.ids...)
	var asked []peer.ID
	for p, _, ok := f.Next(); ok; p, _, ok = f.Next() {
		asked = append(asked, p)
	}
	for i, p := range asked[1:] {
		f.Late(p)
		if found, behind := f.Progress(); found != 0 || behind != i+1 {
			t.Fatalf("%d are late, nobody answered: progress %d, %d", i+1, found, behind)
		}
	}
	if f.InFlight() != 1 {
		t.Fatalf("%d in flight, want 1: late ones leave their slots to others", f.InFlight())
	}
	more := 0
	for p, _, ok := f.Next(); ok; p, _, ok = f.Next() {
		f.Answer(p, nil)
		more++
	}
	if more != len(w.ids)-len(asked) {
		t.Errorf("%d were asked in place of %d late ones", more, len(asked)-1)
	}
	if found, _ := f.Found(); len(found) != more {
		t.Errorf("found %d, want %d", len(found), more)
	}
	f.Answer(asked[1], nil)
	f.Fail(asked[2])
	if found, _ := f.Found(); len(found) != more+1 || !slices.Contains(found, asked[1]) {
		t.Errorf("found %d, want the late one too", len(found))
	}
	if f.InFlight() != 1 {
		t.Errorf("%d in flight, want 1", f.InFlight())
	}
}

// The median of three is certain once two are alike.
func TestTwoAlike(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bits []int
		want bool
	}{{nil, false}, {[]int{1}, false}, {[]int{1, 2}, false}, {[]int{2, 2}, true}, {[]int{1, 2, 1}, true}, {[]int{1, 2, 2}, true}, {[]int{1, 2, 3}, false}} {
		if got := dht.TwoAlike(c.bits); got != c.want {
			t.Errorf("%v: %v", c.bits, got)
		}
	}
}

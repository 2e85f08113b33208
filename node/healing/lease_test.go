package healing_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/node/healing"
)

// A copy is kept half as long with every bit that it lies further outside.
func TestLeaseOf_halves(t *testing.T) {
	for _, c := range []struct {
		away int
		want time.Duration
	}{{1, 12 * time.Hour}, {2, 6 * time.Hour}, {3, 3 * time.Hour}, {4, 90 * time.Minute}, {20, 82397460}, {256, 0}} {
		if got := healing.LeaseOf(c.away); got != c.want {
			t.Errorf("%d bits away: %s, want %s", c.away, got, c.want)
		}
	}
}

// A step of a story about leases: at some hour the region has so many bits, or what
// shares so many bits with us is gone; after it those leases are over.
type leaseStep struct {
	hour        float64
	bits, swept int // -1 for nothing
	over        []int
}

func TestLeases_stories(t *testing.T) {
	const no = -1
	for name, steps := range map[string][]leaseStep{
		"left at once": {
			{0, 3, no, nil},
			{2.9, no, no, nil},
			{3, no, no, []int{0}},
			{6, no, 0, []int{1}},
			{12, no, 1, []int{2}},
		},
		"left one after the other": {
			{0, 1, no, nil},
			{1, 2, no, nil},
			{5.9, no, no, nil},
			{6, no, no, []int{0}},
			{12.9, no, 0, nil},
			{13, no, no, []int{1}},
		},
		"a region that shrinks and grows again begins anew": {
			{0, 1, no, nil},
			{11, 0, no, nil},
			{12, 1, no, nil},
			{23, no, no, nil},
			{24, no, no, []int{0}},
		},
		"what is put by those with a shorter prefix is looked for again": {
			{0, 1, no, nil},
			{12, no, 0, nil},
			{23.9, no, no, nil},
			{24, no, no, []int{0}},
		},
		"one that moves away has less time left": {
			{0, 1, no, nil},
			{5, 3, no, []int{0}},
			{8, no, 0, nil},
			{11, no, no, []int{1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var l healing.Leases
			for _, s := range steps {
				now := noon.Add(time.Duration(s.hour * float64(time.Hour)))
				if s.bits != no {
					l.Moved(s.bits, now)
				}
				if s.swept != no {
					l.Swept(s.swept, now)
				}
				for shared := range 6 {
					want := len(s.over) > 0 && s.over[0] == shared
					if got := l.Over(shared, now, false); got != want {
						t.Errorf("hour %v, %d bits shared: over %t", s.hour, shared, got)
					}
				}
			}
		})
	}
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// Where room is short all leases are over but of what was just seen to be gone; what
// never was ours has none; and a restart changes nothing but what is swept again.
func TestLeases_cutShort(t *testing.T) {
	var l healing.Leases
	l.Moved(3, noon)
	soon := noon.Add(time.Minute)
	l.Swept(1, soon)
	for shared, want := range []bool{true, false, true, false} {
		if l.Over(shared, soon, false) || l.Over(shared, soon, true) != want {
			t.Errorf("%d bits shared: over when short is not %t", shared, want)
		}
	}
	l.Swept(0, soon)
	if l.Settled(soon) {
		t.Error("it is settled although something is left 2 bits away")
	}
	if l.Swept(2, soon); !l.Settled(soon) {
		t.Error("it is not settled although nothing is left")
	}
	l.End()
	for shared, want := range []bool{true, true, true, false} {
		if l.Over(shared, soon, false) != want {
			t.Errorf("%d bits shared: over when ended is not %t", shared, want)
		}
	}
}

// Over a restart each lease goes on, whichever region the node has then, and however
// wrong its clock was.
func TestLeases_restart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var before, after healing.Leases
		bits, then := rapid.IntRange(0, 5).Draw(t, "bits"), rapid.IntRange(0, 5).Draw(t, "bits then")
		ran := time.Duration(rapid.Int64Range(0, int64(2*healing.Lease)).Draw(t, "ran"))
		away := time.Duration(rapid.Int64Range(-int64(healing.Lease), int64(2*healing.Lease)).Draw(t, "away"))
		before.Moved(bits, noon)
		now := noon.Add(ran + away)
		after.Resume(before.Left(), now)
		after.Moved(then, now)
		for shared := range then {
			kept := max(ran+away, 0)
			if shared >= bits {
				kept = 0
			}
			if got, want := after.Over(shared, now, false), kept >= healing.LeaseOf(then-shared); got != want {
				t.Fatalf("%d bits shared of %d, kept for %s: over %t", shared, then, kept, got)
			}
		}
	})
}

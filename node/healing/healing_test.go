package healing_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// neighboursOf are ids in either half of a region: the near ones share its next bit.
func neighboursOf(self records.Coordinate, bits, near, far int) (ps []peer.ID) {
	for i := 0; near > 0 || far > 0; i++ {
		p := peer.ID(fmt.Sprint("neighbour ", i))
		shared := self.SharedBits(at(p))
		switch {
		case shared > bits && near > 0:
			near--
			ps = append(ps, p)
		case shared == bits && far > 0:
			far--
			ps = append(ps, p)
		}
	}
	return ps
}

// at is where a node stands.
func at(p peer.ID) records.Coordinate { return sha256.Sum256([]byte(p)) }

func still(int, func(i, j int)) {}

func TestPartners_table(t *testing.T) {
	self := sha256.Sum256([]byte("ourselves"))
	const bits = 2
	ps := neighboursOf(self, bits, 4, 4)
	near := slices.DeleteFunc(slices.Clone(ps), func(p peer.ID) bool { return records.Coordinate(self).SharedBits(at(p)) == bits })
	far := slices.DeleteFunc(slices.Clone(ps), func(p peer.ID) bool { return slices.Contains(near, p) })
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	when := func(minutes ...int) map[peer.ID]time.Time {
		m := map[peer.ID]time.Time{}
		for i, p := range slices.Concat(near, far) {
			m[p] = noon.Add(time.Duration(minutes[i]) * time.Minute)
		}
		return m
	}
	for _, c := range []struct {
		name string
		view healing.View
		want []peer.ID
	}{
		{"nobody", healing.View{}, nil},
		{"one", healing.View{Neighbours: near[:1]}, near[:1]},
		{"one half is empty", healing.View{Neighbours: near}, near[:3]},
		{"both halves in turn", healing.View{Neighbours: ps}, []peer.ID{near[0], far[0], near[1]}},
		{"who waited longest", healing.View{Neighbours: ps, Compared: when(9, 8, 7, 6, 5, 6, 7, 8)}, []peer.ID{far[0], near[3], far[1]}},
		{
			"what was cut short first",
			healing.View{Neighbours: ps, Compared: when(1, 1, 1, 9, 1, 1, 1, 1), Urgent: map[peer.ID]bool{near[3]: true}},
			[]peer.ID{near[3], far[0], near[0]},
		},
		{
			"doubts do not take every turn",
			healing.View{Neighbours: ps, Urgent: map[peer.ID]bool{far[0]: true, far[1]: true, far[2]: true, far[3]: true}},
			[]peer.ID{far[0], far[1], near[0]},
		},
	} {
		c.view.Self, c.view.Bits, c.view.Random, c.view.At = self, bits, still, at
		if got := c.view.Partners(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Whatever some neighbours make us doubt, everyone gets a turn within as many rounds
// as there are neighbours, nobody twice in one.
func TestPartners_everybodyInTurn(t *testing.T) {
	self := sha256.Sum256([]byte("ourselves"))
	rapid.Check(t, func(t *rapid.T) {
		ps := neighboursOf(self, 1, rapid.IntRange(0, 8).Draw(t, "near"), rapid.IntRange(0, 8).Draw(t, "far"))
		v := healing.View{Self: self, Bits: 1, Neighbours: ps, Compared: map[peer.ID]time.Time{}, Random: rand.Shuffle, At: at}
		had := map[peer.ID]bool{}
		for round := range len(ps) {
			v.Urgent = map[peer.ID]bool{}
			for _, p := range ps {
				v.Urgent[p] = rapid.Bool().Draw(t, "urgent")
			}
			chosen := v.Partners()
			if want := min(healing.Turns, len(ps)); len(chosen) != want {
				t.Fatalf("%d chosen, want %d", len(chosen), want)
			}
			once := map[peer.ID]bool{}
			for _, p := range chosen {
				if once[p] {
					t.Fatalf("%s is chosen twice", p)
				}
				once[p], had[p] = true, true
				v.Compared[p] = time.Unix(int64(round+1), 0)
			}
		}
		if len(had) != len(ps) {
			t.Fatalf("%d of %d had a turn in %d rounds", len(had), len(ps), len(ps))
		}
	})
}

// Neighbours that hold parts of our region alone are chosen so that all of it is compared,
// whatever is known of whom; those who hold all of it suffice by themselves.
func TestPartners_coverTheRegion(t *testing.T) {
	self := sha256.Sum256([]byte("ourselves"))
	rapid.Check(t, func(t *rapid.T) {
		const bits = 1
		ps := neighboursOf(self, bits, rapid.IntRange(0, 40).Draw(t, "near"), rapid.IntRange(0, 40).Draw(t, "far"))
		v := healing.View{Self: self, Bits: bits, Neighbours: ps, Held: map[peer.ID]int{}, Random: rand.Shuffle, At: at}
		deeper := rapid.IntRange(0, 3).Draw(t, "deeper")
		for _, p := range ps {
			if deeper == 0 || rapid.Bool().Draw(t, "told") {
				v.Held[p] = bits + rapid.IntRange(0, deeper).Draw(t, "bits")
			}
		}
		chosen := v.Partners()
		if deeper == 0 && len(chosen) != min(healing.Turns, len(ps)) {
			t.Fatalf("%d chosen of %d who hold all of it, want %d", len(chosen), len(ps), healing.Turns)
		}
		if len(chosen) > healing.MaxTurns {
			t.Fatalf("%d chosen, want at most %d", len(chosen), healing.MaxTurns)
		}
		if once := slices.Compact(slices.Sorted(slices.Values(chosen))); len(once) != len(chosen) {
			t.Fatalf("some of %d are chosen twice", len(chosen))
		}
		for _, p := range ps {
			held := slices.ContainsFunc(chosen, func(c peer.ID) bool {
				b, told := v.Held[c]
				return !told || (healing.Part{Prefix: at(c), Bits: b}).Holds(at(p))
			})
			if !held && len(chosen) < healing.MaxTurns {
				t.Fatalf("nobody who was chosen holds what stands where %s does", p)
			}
		}
	})
}

func TestView_filled(t *testing.T) {
	self := sha256.Sum256([]byte("ourselves"))
	all := healing.Part{Prefix: self}
	ps := neighboursOf(self, 0, 3, 3)
	isNear := func(p peer.ID) bool { return records.Coordinate(self).SharedBits(at(p)) > 0 }
	near := slices.DeleteFunc(slices.Clone(ps), func(p peer.ID) bool { return !isNear(p) })
	far := slices.DeleteFunc(slices.Clone(ps), isNear)
	// only is what a neighbour of a longer prefix has in common with us.
	only := func(p peer.ID, bits int) healing.Part {
		return healing.Part{Prefix: at(p), Bits: bits}
	}
	type done = map[peer.ID]healing.Part
	for _, c := range []struct {
		name       string
		neighbours []peer.ID
		tried      int
		complete   done
		want       bool
	}{
		{"nothing compared", ps, 0, nil, false},
		{"one", ps, 0, done{near[0]: all}, false},
		{"one of two in one half, which alone hold anything", near[:2], 0, done{near[0]: all}, false},
		{"two of one half", ps, 0, done{near[0]: all, near[1]: all}, false},
		{"one of either half", ps, 0, done{near[0]: all, far[0]: all}, true},
		{"each of them holds its own half", ps, 0, done{near[0]: only(near[0], 1), far[0]: only(far[0], 1)}, true},
		{"one holds less than its half", ps, 0, done{near[0]: all, far[0]: only(far[0], 20)}, false},
		{"another holds all of it", ps, 0, done{near[0]: all, far[0]: only(far[0], 20), far[1]: all}, true},
		{"nobody in one half, and all of the other hold that alone", near, 0, done{near[0]: only(near[0], 1), near[1]: only(near[1], 1)}, false},
		{"nobody in one half, which others hold", near, 0, done{near[0]: all, near[1]: all}, true},
		{"all tried in vain", ps, 6, nil, true},
		{"all but one tried in vain", ps, 5, nil, false},
		{"nobody there", nil, 0, nil, true},
	} {
		v := healing.View{Self: self, Neighbours: c.neighbours, Random: still, At: at, Compared: map[peer.ID]time.Time{}, Complete: c.complete}
		for _, p := range c.neighbours[:c.tried] {
			v.Compared[p] = time.Unix(1, 0)
		}
		for p := range c.complete {
			v.Compared[p] = time.Unix(1, 0)
		}
		if got := v.Filled(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// Whatever part of our region a place lies in, when we answer for it somebody who
// holds it has been compared with, or everybody has been tried.
func TestView_filledCoversAll(t *testing.T) {
	self := sha256.Sum256([]byte("ourselves"))
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(0, 3).Draw(t, "bits")
		v := healing.View{
			Self: self, Bits: bits, Random: still, At: at, Neighbours: neighboursOf(self, bits, rapid.IntRange(0, 6).Draw(t, "near"), rapid.IntRange(0, 6).Draw(t, "far")),
			Compared: map[peer.ID]time.Time{}, Complete: map[peer.ID]healing.Part{},
		}
		for _, p := range v.Neighbours {
			theirs := healing.Part{Prefix: at(p), Bits: bits + rapid.IntRange(0, 3).Draw(t, "longer")}
			if rapid.Bool().Draw(t, "compared") {
				v.Compared[p], v.Complete[p] = time.Unix(1, 0), theirs
			}
		}
		if !v.Filled() || len(v.Compared) == len(v.Neighbours) {
			return
		}
		for sub := range 1 << 4 { // every part of our region, four bits finer
			part := self
			for i := range 4 {
				if sub>>i&1 == 1 {
					part[(bits+i)/8] ^= 0x80 >> ((bits + i) % 8)
				}
			}
			if !slices.ContainsFunc(v.Neighbours, func(p peer.ID) bool {
				what, done := v.Complete[p]
				return done && records.Coordinate(part).SharedBits(what.Prefix) >= what.Bits
			}) {
				t.Fatalf("nobody who holds %x was compared with", part[:2])
			}
		}
	})
}

// A comparison counts for the region as it was when it began, and is gone on with
// only while it is about the same.
func TestLedger_grownMeanwhile(t *testing.T) {
	l, p, now := healing.NewLedger(), peer.ID("a neighbour"), time.Unix(1, 0)
	before := healing.Part{Prefix: sha256.Sum256([]byte("ourselves")), Bits: 3}
	low, _ := reconcile.Under(before.Prefix, before.Bits)
	middle := low + "middle"
	compare := func(what healing.Part, from, rest reconcile.Bound) healing.Comparison {
		c := l.Begin(p)
		c.What, c.From, c.Rest = what, from, rest
		return c
	}
	l.Note(compare(before, low, middle), now, nil)
	if got := l.Resume(p, before); got != middle {
		t.Errorf("gone on with at %q", got)
	}
	after := before
	after.Bits = 2
	if got, _ := reconcile.Under(after.Prefix, after.Bits); l.Resume(p, after) != got {
		t.Error("what was cut short is gone on with although it is about something else")
	}
	whole := compare(before, middle, reconcile.End)
	l.Grown(2)
	l.Note(whole, now, nil)
	if v := l.View(before.Prefix, 2, []peer.ID{p}); len(v.Complete) > 0 || len(v.Compared) > 0 {
		t.Error("a comparison that began before the region grew counts for all of it")
	}
	l.Note(compare(after, "", reconcile.End), now, nil)
	if v := l.View(before.Prefix, 2, []peer.ID{p}); v.Complete[p] != after {
		t.Error("a comparison of the whole region does not count")
	}
}

// Who does not answer waits for its turn, and doubts are kept until they are looked at.
func TestLedger_urgent(t *testing.T) {
	l := healing.NewLedger()
	dead, doubted, stranger := peer.ID("dead"), peer.ID("doubted"), peer.ID("stranger")
	c := l.Begin(dead)
	c.From, c.Rest = "a", "a"
	l.Note(c, time.Unix(1, 0), errors.New("no answer"))
	l.Doubt(doubted)
	l.Doubt(stranger)
	for range 2 { // looking changes nothing
		v := l.View(records.Coordinate{}, 0, []peer.ID{dead, doubted})
		if !maps.Equal(v.Urgent, map[peer.ID]bool{doubted: true}) {
			t.Errorf("urgent: %v", v.Urgent)
		}
	}
	l.Begin(doubted)
	if v := l.View(records.Coordinate{}, 0, []peer.ID{dead, doubted}); len(v.Urgent) > 0 {
		t.Errorf("urgent although it was looked at: %v", v.Urgent)
	}
}

// A node answers for nothing at first, for its region once that is filled, and for
// no more than it was filled for when it grows.
func TestLedger_answers(t *testing.T) {
	l, self := healing.NewLedger(), sha256.Sum256([]byte("ourselves"))
	ps := neighboursOf(self, 2, 1, 1)
	view := func(bits int) healing.View {
		v := l.View(self, bits, ps)
		v.At = at
		return v
	}
	if !l.AnswerFor(view(2)) || l.Answers(8*len(self)) {
		t.Error("it answers before anything was compared")
	}
	compareAll := func(bits int) {
		for _, p := range ps {
			c := l.Begin(p)
			c.What, c.Rest = healing.Part{Prefix: self, Bits: bits}, reconcile.End
			if !l.Note(c, time.Unix(1, 0), nil) {
				t.Error("a comparison to the end is not complete")
			}
		}
	}
	compareAll(2)
	if l.AnswerFor(view(2)) || !l.Answers(2) || l.Answers(1) {
		t.Error("it does not answer for what was compared, and that alone")
	}
	if !l.Grown(1) || !l.AnswerFor(view(1)) || !l.Answers(2) || l.Answers(1) {
		t.Error("a region that grew is not filled anew while the old one is answered for")
	}
	compareAll(1)
	if l.AnswerFor(view(1)) || !l.Answers(1) {
		t.Error("the larger region is not answered for")
	}
	if l.Grown(2) || !l.Grown(1) || l.Answers(1) || !l.Answers(2) {
		t.Error("what was another's meanwhile is answered for although it was not compared again")
	}
}

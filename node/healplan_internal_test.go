package node

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// neighboursOf are ids in either half of a region: the near ones share its next bit.
func neighboursOf(self records.Coordinate, bits, near, far int) (ps []peer.ID) {
	for i := 0; near > 0 || far > 0; i++ {
		p := peer.ID(fmt.Sprint("neighbour ", i))
		shared := sharedBits(self, sha256.Sum256([]byte(p)))
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

func still(int, func(i, j int)) {}

func TestPlanHealing_table(t *testing.T) {
	self := sha256.Sum256([]byte("ourselves"))
	const bits = 2
	ps := neighboursOf(self, bits, 4, 4)
	near := slices.DeleteFunc(slices.Clone(ps), func(p peer.ID) bool { return sharedBits(self, sha256.Sum256([]byte(p))) == bits })
	far := slices.DeleteFunc(slices.Clone(ps), func(p peer.ID) bool { return slices.Contains(near, p) })
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	at := func(minutes ...int) map[peer.ID]time.Time {
		m := map[peer.ID]time.Time{}
		for i, p := range slices.Concat(near, far) {
			m[p] = noon.Add(time.Duration(minutes[i]) * time.Minute)
		}
		return m
	}
	for _, c := range []struct {
		name string
		view healView
		want []peer.ID
	}{
		{"nobody", healView{}, nil},
		{"one", healView{neighbours: near[:1]}, near[:1]},
		{"one half is empty", healView{neighbours: near}, near[:3]},
		{"both halves in turn", healView{neighbours: ps}, []peer.ID{near[0], far[0], near[1]}},
		{"who waited longest", healView{neighbours: ps, compared: at(9, 8, 7, 6, 5, 6, 7, 8)}, []peer.ID{far[0], near[3], far[1]}},
		{
			"what was cut short first",
			healView{neighbours: ps, compared: at(1, 1, 1, 9, 1, 1, 1, 1), urgent: map[peer.ID]bool{near[3]: true}},
			[]peer.ID{near[3], far[0], near[0]},
		},
		{
			"doubts do not take every turn",
			healView{neighbours: ps, urgent: map[peer.ID]bool{far[0]: true, far[1]: true, far[2]: true, far[3]: true}},
			[]peer.ID{far[0], far[1], near[0]},
		},
	} {
		c.view.self, c.view.bits, c.view.random = self, bits, still
		if got := planHealing(c.view); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Whatever some neighbours make us doubt, everyone gets a turn within as many rounds
// as there are neighbours, nobody twice in one.
func TestPlanHealing_everybodyInTurn(t *testing.T) {
	self := sha256.Sum256([]byte("ourselves"))
	rapid.Check(t, func(t *rapid.T) {
		ps := neighboursOf(self, 1, rapid.IntRange(0, 8).Draw(t, "near"), rapid.IntRange(0, 8).Draw(t, "far"))
		v := healView{self: self, bits: 1, neighbours: ps, compared: map[peer.ID]time.Time{}, random: shuffle}
		had := map[peer.ID]bool{}
		for round := range len(ps) {
			v.urgent = map[peer.ID]bool{}
			for _, p := range ps {
				v.urgent[p] = rapid.Bool().Draw(t, "urgent")
			}
			chosen := planHealing(v)
			if want := min(healPartners, len(ps)); len(chosen) != want {
				t.Fatalf("%d chosen, want %d", len(chosen), want)
			}
			once := map[peer.ID]bool{}
			for _, p := range chosen {
				if once[p] {
					t.Fatalf("%s is chosen twice", p)
				}
				once[p], had[p] = true, true
				v.compared[p] = time.Unix(int64(round+1), 0)
			}
		}
		if len(had) != len(ps) {
			t.Fatalf("%d of %d had a turn in %d rounds", len(had), len(ps), len(ps))
		}
	})
}

func TestHealView_filled(t *testing.T) {
	self := sha256.Sum256([]byte("ourselves"))
	all := exchange.Common{Prefix: self}
	ps := neighboursOf(self, 0, 3, 3)
	isNear := func(p peer.ID) bool { return sharedBits(self, sha256.Sum256([]byte(p))) > 0 }
	near := slices.DeleteFunc(slices.Clone(ps), func(p peer.ID) bool { return !isNear(p) })
	far := slices.DeleteFunc(slices.Clone(ps), isNear)
	// only is what a neighbour of a longer prefix has in common with us.
	only := func(p peer.ID, bits int) exchange.Common {
		return exchange.Common{Prefix: sha256.Sum256([]byte(p)), Bits: bits}
	}
	type done = map[peer.ID]exchange.Common
	for _, c := range []struct {
		name       string
		neighbours []peer.ID
		tried      int
		complete   done
		want       bool
	}{
		{"nothing compared", ps, 0, nil, false},
		{"one", ps, 0, done{near[0]: all}, false},
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
		v := healView{self: self, neighbours: c.neighbours, random: still, compared: map[peer.ID]time.Time{}, complete: c.complete}
		for _, p := range c.neighbours[:c.tried] {
			v.compared[p] = time.Unix(1, 0)
		}
		for p := range c.complete {
			v.compared[p] = time.Unix(1, 0)
		}
		if got := v.filled(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// Whatever part of our region a place lies in, when we answer for it somebody who
// holds it has been compared with, or everybody has been tried.
func TestHealView_filledCoversAll(t *testing.T) {
	self := sha256.Sum256([]byte("ourselves"))
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(0, 3).Draw(t, "bits")
		v := healView{
			self: self, bits: bits, neighbours: neighboursOf(self, bits, rapid.IntRange(0, 6).Draw(t, "near"), rapid.IntRange(0, 6).Draw(t, "far")),
			compared: map[peer.ID]time.Time{}, complete: map[peer.ID]exchange.Common{},
		}
		for _, p := range v.neighbours {
			theirs := exchange.Common{Prefix: sha256.Sum256([]byte(p)), Bits: bits + rapid.IntRange(0, 3).Draw(t, "longer")}
			if rapid.Bool().Draw(t, "compared") {
				v.compared[p], v.complete[p] = time.Unix(1, 0), theirs
			}
		}
		if !v.filled() || len(v.compared) == len(v.neighbours) {
			return
		}
		for sub := range 1 << 4 { // every part of our region, four bits finer
			part := self
			for i := range 4 {
				if sub>>i&1 == 1 {
					part[(bits+i)/8] ^= 0x80 >> ((bits + i) % 8)
				}
			}
			if !slices.ContainsFunc(v.neighbours, func(p peer.ID) bool {
				what, done := v.complete[p]
				return done && sharedBits(part, what.Prefix) >= what.Bits
			}) {
				t.Fatalf("nobody who holds %x was compared with", part[:2])
			}
		}
	})
}

// A comparison counts for the region as it was when it began, and is gone on with
// only while it is about the same.
func TestHealer_grownMeanwhile(t *testing.T) {
	h, p, now := newHealer(true), peer.ID("a neighbour"), time.Unix(1, 0)
	before := exchange.Common{Prefix: sha256.Sum256([]byte("ourselves")), Bits: 3}
	low, _ := reconcile.Under(before.Prefix, before.Bits)
	middle := low + "middle"
	short := &comparison{peer: p, growths: h.begin(p), what: before, from: low, rest: middle}
	h.note(short, now, nil)
	if got := h.resume(p, before); got != middle {
		t.Errorf("gone on with at %q", got)
	}
	after := before
	after.Bits = 2
	if got, _ := reconcile.Under(after.Prefix, after.Bits); h.resume(p, after) != got {
		t.Error("what was cut short is gone on with although it is about something else")
	}
	whole := &comparison{peer: p, growths: h.begin(p), what: before, from: middle, rest: reconcile.End}
	h.grown(2)
	h.note(whole, now, nil)
	if v := h.view(before.Prefix, 2, []peer.ID{p}); len(v.complete) > 0 || len(v.compared) > 0 {
		t.Error("a comparison that began before the region grew counts for all of it")
	}
	h.note(&comparison{peer: p, growths: h.begin(p), what: after, rest: reconcile.End}, now, nil)
	if v := h.view(before.Prefix, 2, []peer.ID{p}); v.complete[p] != after {
		t.Error("a comparison of the whole region does not count")
	}
}

// Who does not answer waits for its turn, and doubts are kept until they are looked at.
func TestHealer_urgent(t *testing.T) {
	h := newHealer(true)
	dead, doubted, stranger := peer.ID("dead"), peer.ID("doubted"), peer.ID("stranger")
	h.note(&comparison{peer: dead, growths: h.begin(dead), from: "a", rest: "a"}, time.Unix(1, 0), errMoved)
	h.suspect(doubted)
	h.suspect(stranger)
	for range 2 { // looking changes nothing
		v := h.view(records.Coordinate{}, 0, []peer.ID{dead, doubted})
		if !maps.Equal(v.urgent, map[peer.ID]bool{doubted: true}) {
			t.Errorf("urgent: %v", v.urgent)
		}
	}
	h.begin(doubted)
	if v := h.view(records.Coordinate{}, 0, []peer.ID{dead, doubted}); len(v.urgent) > 0 {
		t.Errorf("urgent although it was looked at: %v", v.urgent)
	}
}

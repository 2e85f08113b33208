package node

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
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
			healView{neighbours: ps, compared: at(1, 1, 1, 9, 1, 1, 1, 1), unfinished: map[peer.ID]bool{near[3]: true}},
			[]peer.ID{near[3], far[0], near[0]},
		},
		{
			"doubts do not take every turn",
			healView{neighbours: ps, doubted: map[peer.ID]bool{far[0]: true, far[1]: true, far[2]: true, far[3]: true}},
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
			v.doubted, v.unfinished = map[peer.ID]bool{}, map[peer.ID]bool{}
			for _, p := range ps {
				v.doubted[p] = rapid.Bool().Draw(t, "doubted")
				v.unfinished[p] = rapid.Bool().Draw(t, "unfinished")
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
	ps := neighboursOf(self, 0, 3, 3)
	isNear := func(p peer.ID) bool { return sharedBits(self, sha256.Sum256([]byte(p))) > 0 }
	view := func(tried int, complete ...peer.ID) healView {
		v := healView{self: self, neighbours: ps, random: still, compared: map[peer.ID]time.Time{}, complete: map[peer.ID]bool{}}
		for _, p := range ps[:tried] {
			v.compared[p] = time.Unix(1, 0)
		}
		for _, p := range complete {
			v.complete[p], v.compared[p] = true, time.Unix(1, 0)
		}
		return v
	}
	near := slices.DeleteFunc(slices.Clone(ps), func(p peer.ID) bool { return !isNear(p) })
	far := slices.DeleteFunc(slices.Clone(ps), isNear)
	for _, c := range []struct {
		name string
		view healView
		want bool
	}{
		{"nothing compared", view(0), false},
		{"one", view(0, near[0]), false},
		{"two of one half", view(0, near[0], near[1]), false},
		{"one of either half", view(0, near[0], far[0]), true},
		{"all tried in vain", view(6), true},
		{"all but one tried in vain", view(5), false},
		{"nobody there", healView{self: self, random: still}, true},
	} {
		if got := c.view.filled(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

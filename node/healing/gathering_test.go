package healing_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/records/reconcile"
)

// To be equal to those who are gathering themselves proves nothing; to those who
// have gathered a part of the region, as much as that part.
func TestLedger_gathering(t *testing.T) {
	const bits, nothing = 2, 257
	self := at("ourselves")
	near := func(p peer.ID) bool { return self.SharedBits(at(p)) > bits }
	for _, c := range []struct {
		name      string
		near, far int // bits of what neighbours in either half have gathered
		gathers   bool
	}{
		{"all have everything", 0, 0, false},
		{"all have the region", bits, bits, false},
		{"each has the half in which it is", bits + 1, bits + 1, false},
		{"those in one half have nothing", nothing, bits, true},
		{"those in the other half have less than it, the others not", bits, bits + 8, false},
		{"those in the other half have less than it, the others no more", bits + 1, bits + 8, true},
		{"none has anything", nothing, nothing, true},
	} {
		l, ps := healing.NewLedger(), neighboursOf(self, bits, 2, 2)
		compare := func(p peer.ID) {
			k := l.Begin(p)
			k.What, k.Rest = healing.Part{Prefix: self, Bits: bits}, reconcile.End
			k.Whole = healing.Part{Prefix: at(p), Bits: c.far}
			if near(p) {
				k.Whole.Bits = c.near
			}
			l.Note(k, time.Unix(1, 0), nil)
		}
		filling := func() bool {
			v := l.View(self, bits, ps)
			v.At = at
			return l.AnswerFor(v)
		}
		for _, p := range ps[:3] { // two of the near half, one of the far
			compare(p)
		}
		if got := filling(); got != c.gathers {
			t.Errorf("%s: gathers %t", c.name, got)
		}
		if compare(ps[3]); filling() || l.Bits() != bits {
			t.Errorf("%s: still gathers after comparing with everybody there is", c.name)
		}
	}
}

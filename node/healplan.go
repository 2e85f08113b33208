package node

import (
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// A healView is what is known when it is decided with which neighbours to compare
// what we hold.
type healView struct {
	self       records.Coordinate
	bits       int                              // of our prefix
	neighbours []peer.ID                        // ourselves not
	compared   map[peer.ID]time.Time            // when with each, to the end or in vain
	urgent     map[peer.ID]bool                 // seen to hold something else, or comparisons that were cut short
	complete   map[peer.ID]exchange.Common      // what with each to the end since our region last grew
	random     func(n int, swap func(i, j int)) // shuffles
}

// healPartners is with how many neighbours a node compares each time: one in either
// half of its region, because when a region has doubled each half lacks what the
// other holds, and one more.
const healPartners = 3

// planHealing chooses whom to compare with: who was seen to differ or where a
// comparison was cut short, and then whoever has waited longest, of both halves of the
// region alike. Whatever a neighbour does, the others get their turn.
func planHealing(v healView) (chosen []peer.ID) {
	near, far := v.halves()
	urgent := slices.DeleteFunc(slices.Concat(near, far), func(p peer.ID) bool { return !v.urgent[p] })
	v.byTurn(urgent)
	chosen = append(chosen, urgent[:min(len(urgent), healPartners-1)]...)
	for len(chosen) < healPartners && len(near)+len(far) > 0 {
		from := &near
		if v.farNext(chosen, near, far) {
			from = &far
		}
		p := (*from)[0]
		*from = (*from)[1:]
		if !slices.Contains(chosen, p) {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// farNext tells whether the next one comes from the far half: the one that has given
// fewer gives next, or else the one of which somebody has waited longer.
func (v healView) farNext(chosen, near, far []peer.ID) bool {
	if len(near) == 0 || len(far) == 0 {
		return len(near) == 0
	}
	if n, f := v.count(chosen, true), v.count(chosen, false); n != f {
		return n > f
	}
	return v.compared[far[0]].Before(v.compared[near[0]])
}

// halves are the neighbours that share one bit more with us and the others, those
// first who have waited longest.
func (v healView) halves() (near, far []peer.ID) {
	for _, p := range v.neighbours {
		if v.isNear(p) {
			near = append(near, p)
		} else {
			far = append(far, p)
		}
	}
	v.byTurn(near)
	v.byTurn(far)
	return near, far
}

func (v healView) isNear(p peer.ID) bool {
	return sharedBits(v.self, sha256.Sum256([]byte(p))) > v.bits
}

func (v healView) count(chosen []peer.ID, near bool) (n int) {
	for _, p := range chosen {
		if v.isNear(p) == near {
			n++
		}
	}
	return n
}

// byTurn puts those first who have waited longest, and those who never had a turn in
// any order.
func (v healView) byTurn(ps []peer.ID) {
	v.random(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
	slices.SortStableFunc(ps, func(p, q peer.ID) int { return v.compared[p].Compare(v.compared[q]) })
}

// shuffle is the random of a view outside of tests.
func shuffle(n int, swap func(i, j int)) { rand.Shuffle(n, swap) }

// filled tells whether enough has been compared since our region last grew for us to
// answer for all of it: with two neighbours, and so that every part of it is covered,
// or with everybody there is.
func (v healView) filled() bool {
	tried := 0
	for _, p := range v.neighbours {
		if _, ok := v.compared[p]; ok {
			tried++
		}
	}
	if tried == len(v.neighbours) {
		return true
	}
	half := exchange.Common{Prefix: v.self, Bits: v.bits + 1}
	return len(v.complete) >= 2 && v.covered(half, v.neighbours) && v.covered(otherHalf(half), v.neighbours)
}

// covered tells whether what was compared covers a part of our region: with somebody
// in it who holds all of it, because after a region has doubled those on the other
// side lack it as we do, or both of its halves in that way. Where nobody is, anyone
// who holds it does.
func (v healView) covered(part exchange.Common, neighbours []peer.ID) bool {
	var within []peer.ID
	nobody := true
	for _, p := range neighbours {
		if sharedBits(part.Prefix, sha256.Sum256([]byte(p))) < part.Bits {
			continue
		}
		nobody = false
		if _, done := v.complete[p]; done {
			within = append(within, p)
		}
	}
	from := within
	if nobody {
		from = v.neighbours
	}
	for _, p := range from {
		if what, done := v.complete[p]; done && what.Bits <= part.Bits && sharedBits(what.Prefix, part.Prefix) >= what.Bits {
			return true
		}
	}
	if len(within) == 0 || part.Bits == noRegion-1 {
		return false
	}
	half := exchange.Common{Prefix: part.Prefix, Bits: part.Bits + 1}
	return v.covered(half, neighbours) && v.covered(otherHalf(half), neighbours)
}

// otherHalf is the part of the ring that differs in the last bit alone.
func otherHalf(c exchange.Common) exchange.Common {
	c.Prefix[(c.Bits-1)/8] ^= 0x80 >> ((c.Bits - 1) % 8)
	return c
}

package node

import (
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// A healView is what is known when it is decided with which neighbours to compare
// what we hold.
type healView struct {
	self       records.Coordinate
	bits       int                              // of our prefix
	neighbours []peer.ID                        // ourselves not
	compared   map[peer.ID]time.Time            // when with each, to the end or in vain
	unfinished map[peer.ID]bool                 // comparisons that were cut short
	doubted    map[peer.ID]bool                 // who were seen to hold something else
	complete   map[peer.ID]bool                 // with whom to the end since our region last grew
	random     func(n int, swap func(i, j int)) // shuffles
}

// healPartners is with how many neighbours a node compares each time: one in either
// half of its region, because when a region has doubled each half lacks what the
// other holds, and one more.
const healPartners = 3

// planHealing chooses whom to compare with: where a comparison was cut short, who
// was seen to differ, and then whoever has waited longest, of both halves of the
// region alike. Whatever a neighbour does, the others get their turn.
func planHealing(v healView) (chosen []peer.ID) {
	near, far := v.halves()
	urgent := slices.DeleteFunc(slices.Concat(near, far), func(p peer.ID) bool { return !v.unfinished[p] && !v.doubted[p] })
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

// filled tells whether enough has been compared since a time for us to answer for
// all of our region: with two neighbours, of both halves where there are such, or
// with everybody there is.
func (v healView) filled() bool {
	near, far := v.halves()
	nearDone, farDone, tried := 0, 0, 0
	for _, p := range v.neighbours {
		if _, ok := v.compared[p]; ok {
			tried++
		}
		switch {
		case v.complete[p] && v.isNear(p):
			nearDone++
		case v.complete[p]:
			farDone++
		}
	}
	if tried == len(v.neighbours) {
		return true
	}
	return nearDone+farDone >= 2 && nearDone >= min(len(near), 1) && farDone >= min(len(far), 1)
}

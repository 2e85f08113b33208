package healing

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// A View is what is known when it is decided with which neighbours to compare what
// we hold.
type View struct {
	Self       records.Coordinate
	Bits       int                              // of our prefix
	Neighbours []peer.ID                        // ourselves not
	Compared   map[peer.ID]time.Time            // when with each, to the end or in vain
	Urgent     map[peer.ID]bool                 // seen to hold something else, or comparisons that were cut short
	Complete   map[peer.ID]Part                 // what with each to the end since our region last grew
	Held       map[peer.ID]int                  // bits of the prefix of what each holds, of those that told lately
	At         func(peer.ID) records.Coordinate // where a node stands
	Random     func(n int, swap func(i, j int)) // shuffles
}

// Turns is with how many neighbours a node compares each time: one in either half of
// its region, because when a region has doubled each half lacks what the other holds,
// and one more.
//
// Where neighbours hold parts of the region alone, as many more are compared with as it
// takes to cover it, up to MaxTurns in all.
const (
	Turns    = 3
	MaxTurns = 16
)

// Partners chooses whom to compare with: who was seen to differ or where a comparison
// was cut short, and then whoever has waited longest, of both halves of the region
// alike. Whatever a neighbour does, the others get their turn. Those who were chosen may
// hold less than we do: then somebody in each part that none of them holds is chosen too, or
// what stands there would wait for many rounds.
func (v View) Partners() (chosen []peer.ID) {
	near, far := v.halves()
	urgent := slices.DeleteFunc(slices.Concat(near, far), func(p peer.ID) bool { return !v.Urgent[p] })
	v.byTurn(urgent)
	chosen = append(chosen, urgent[:min(len(urgent), Turns-1)]...)
	first := len(chosen)
	for len(chosen) < Turns && len(near)+len(far) > 0 {
		from := &near
		if v.farNext(chosen[:first], chosen[first:], near, far) {
			from = &far
		}
		p := (*from)[0]
		*from = (*from)[1:]
		if !slices.Contains(chosen, p) {
			chosen = append(chosen, p)
		}
	}
	left := slices.Clone(v.Neighbours)
	v.byTurn(left)
	for _, p := range left {
		if len(chosen) < MaxTurns && !slices.ContainsFunc(chosen, func(c peer.ID) bool { return v.holds(c, p) }) {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// holds tells whether p holds what stands where another node does, as far as it told.
func (v View) holds(p, other peer.ID) bool {
	bits, told := v.Held[p]
	return !told || Part{v.At(p), bits}.Holds(v.At(other))
}

// farNext tells whether the next one comes from the far half: the one that has given
// fewer in turn gives next, or else the one of which somebody has waited longer, or
// else the one that has given fewer out of turn. Who is urgent does not count in the
// first place, or a few on one side could keep the rest of it waiting for ever.
func (v View) farNext(urgent, chosen, near, far []peer.ID) bool {
	if len(near) == 0 || len(far) == 0 {
		return len(near) == 0
	}
	return cmp.Or(
		cmp.Compare(v.count(chosen, false), v.count(chosen, true)),
		v.Compared[far[0]].Compare(v.Compared[near[0]]),
		cmp.Compare(v.count(urgent, false), v.count(urgent, true)),
	) < 0
}

// halves are the neighbours that share one bit more with us and the others, those
// first who have waited longest.
func (v View) halves() (near, far []peer.ID) {
	for _, p := range v.Neighbours {
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

func (v View) isNear(p peer.ID) bool { return v.Self.SharedBits(v.At(p)) > v.Bits }

func (v View) count(chosen []peer.ID, near bool) (n int) {
	for _, p := range chosen {
		if v.isNear(p) == near {
			n++
		}
	}
	return n
}

// byTurn puts those first who have waited longest, and those who never had a turn in
// any order.
func (v View) byTurn(ps []peer.ID) {
	v.Random(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
	slices.SortStableFunc(ps, func(p, q peer.ID) int { return v.Compared[p].Compare(v.Compared[q]) })
}

// Filled tells whether enough has been compared since our region last grew for us to
// answer for all of it: with two neighbours, and so that every part of it is covered,
// or with everybody there is.
func (v View) Filled() bool {
	tried := 0
	for _, p := range v.Neighbours {
		if _, ok := v.Compared[p]; ok {
			tried++
		}
	}
	if tried == len(v.Neighbours) {
		return true
	}
	half := Part{v.Self, v.Bits}.half()
	return len(v.Complete) >= 2 && v.covered(half, v.Neighbours) && v.covered(half.Other(), v.Neighbours)
}

// covered tells whether what was compared covers a part of our region: with somebody
// in it who holds all of it, because after a region has doubled those on the other
// side lack it as we do, or both of its halves in that way. Where nobody is, anyone
// who holds it does.
func (v View) covered(part Part, neighbours []peer.ID) bool {
	var within []peer.ID
	nobody := true
	for _, p := range neighbours {
		if !part.Holds(v.At(p)) {
			continue
		}
		nobody = false
		if _, done := v.Complete[p]; done {
			within = append(within, p)
		}
	}
	from := within
	if nobody {
		from = v.Neighbours
	}
	for _, p := range from {
		if what, done := v.Complete[p]; done && what.Covers(part) {
			return true
		}
	}
	if len(within) == 0 || part.Bits == noRegion-1 {
		return false
	}
	return v.covered(part.half(), neighbours) && v.covered(part.half().Other(), neighbours)
}

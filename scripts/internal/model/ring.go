package model

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// A ring is the nodes that can be met, by where they stand.
type ring []*node

// word is the first bits of a coordinate, by which everything here is told apart.
func word(c records.Coordinate) uint64 { return binary.BigEndian.Uint64(c[:]) }

func shared(a, b uint64) int { return bits.LeadingZeros64(a ^ b) }

// search is where the first node at w or behind stands.
func (r ring) search(w uint64) int {
	i, _ := slices.BinarySearchFunc(r, w, func(n *node, w uint64) int { return cmp.Compare(n.word, w) })
	return i
}

func (r *ring) add(n *node) { *r = slices.Insert(*r, r.search(n.word), n) }

func (r *ring) remove(n *node) {
	if i := r.search(n.word); i < len(*r) && (*r)[i] == n {
		*r = slices.Delete(*r, i, i+1)
	}
}

// region is the nodes that share so many bits with w.
func (r ring) region(w uint64, bits int) ring {
	if bits <= 0 {
		return r
	}
	rest := uint64(math.MaxUint64) >> bits
	low, high := r.search(w&^rest), len(r)
	if last := w | rest; last != math.MaxUint64 {
		high = r.search(last + 1)
	}
	return r[low:high]
}

// census counts how many share how much with n, as a routing table knows them: of
// those that share equally much it has room for so many.
func (r ring) census(n *node, room int) (c dht.Census) {
	outer := len(r)
	for bits := range dht.MaxPrefix {
		inner := len(r.region(n.word, bits+1))
		c[bits] = min(outer-inner, room)
		if outer = inner; outer <= 1 {
			return c
		}
	}
	c[dht.MaxPrefix] = min(outer-1, room)
	return c
}

// nearest is the n nodes that are nearest to w, nearest first.
func (r ring) nearest(w uint64, n int) []*node {
	bits := 0
	for bits < 63 && len(r.region(w, bits+1)) >= n {
		bits++
	}
	near := slices.Clone(r.region(w, bits))
	slices.SortFunc(near, func(a, b *node) int { return cmp.Compare(a.word^w, b.word^w) })
	return near[:min(n, len(near))]
}

// members is the neighbourhood of a place, as a reader or a writer finds it.
func (r ring) members(w uint64, k int) ring {
	var told [3]int
	for i, n := range r.nearest(w, 3) {
		told[i] = n.bits
	}
	return r.region(w, dht.Agreed(told, 0, k, func(bits int) int { return len(r.region(w, bits)) }))
}

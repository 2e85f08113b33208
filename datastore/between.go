package datastore

import (
	"context"
	"fmt"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// A gap is a part of a range of which the tree has no sum of its own.
type gap struct {
	from, to reconcile.Bound
	block    records.Coordinate // where the node lies that has the sum of more than the gap
	level    int                // and its level; fullTree for a part of a place
	count    uint64             // entries of that node
}

// between is the sum of what the tree knows of a range, and the rest of it.
func (s *sums) between(from, to reconcile.Bound) (records.Fingerprint, []gap) {
	w := sumWalk{from: edgeOf(from), to: edgeOf(to), open: to == reconcile.End}
	if at, whole := from.Coordinate(); !whole { // the rest of one place, or less
		_, end := reconcile.Under(at, 8*coordinateSize)
		w.gaps = append(w.gaps, gap{from: from, to: min(to, end), level: fullTree})
		if to <= end {
			return w.sum, w.gaps
		}
		w.from = edgeOf(end)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	w.node(&s.root, records.Coordinate{}, 0, true, !w.open)
	if at, whole := to.Coordinate(); !w.open && !whole {
		begin, _ := reconcile.Under(at, 8*coordinateSize)
		w.gaps = append(w.gaps, gap{from: max(from, begin), to: to, level: fullTree})
	}
	return w.sum, w.gaps
}

// An edge is where a range of whole places begins, or one ends.
type edge struct {
	at     records.Coordinate
	levels int // from here on its nibbles are 0
}

func edgeOf(b reconcile.Bound) edge {
	at, _ := b.Coordinate()
	e := edge{at: at, levels: fullTree}
	for e.levels > 0 && halfByte(at, e.levels-1) == 0 {
		e.levels--
	}
	return e
}

// A sumWalk adds up the nodes of the tree between two edges.
type sumWalk struct {
	from, to edge
	open     bool // to is after everything
	sum      records.Fingerprint
	gaps     []gap
}

// node adds what of the node at a block lies in the range. Low and high are whether
// the range may begin or end within the block.
func (w *sumWalk) node(n *sumNode, block records.Coordinate, level int, low, high bool) {
	low = low && level < w.from.levels
	switch {
	case n == nil || n.sum.Count == 0 || high && level >= w.to.levels:
		return
	case !low && !high:
		w.sum = w.sum.Plus(n.sum)
		return
	case n.children == nil:
		w.gap(n, block, level, low, high)
		return
	}
	first, last := 0, fanOut-1
	if low {
		first = halfByte(w.from.at, level)
	}
	if high {
		last = halfByte(w.to.at, level)
	}
	for i := first; i <= last; i++ {
		child := block
		child[level/2] |= byte(i << (nibble * (1 - level%2)))
		w.node(n.children[i], child, level+1, low && i == first, high && i == last)
	}
}

func (w *sumWalk) gap(n *sumNode, block records.Coordinate, level int, low, high bool) {
	g := gap{block: block, level: level, count: n.sum.Count}
	g.from, g.to = reconcile.Under(block, nibble*level)
	if low {
		g.from = reconcile.BoundOf(reconcile.Element{At: w.from.at})
	}
	if high {
		g.to = reconcile.BoundOf(reconcile.Element{At: w.to.at})
	}
	w.gaps = append(w.gaps, g)
}

// coarse tells whether finer sums are worth making for this gap.
func (s *sums) coarse(g gap) bool { return g.count > s.fine && g.level < fullTree }

// refine makes finer sums of a block, which the committer keeps up to date from
// then on: it is done between its batches, so that no change falls between what is
// read and the tree. It reads all of the block, once in the life of the process.
func (s *Store) refine(block records.Coordinate, level int) error {
	err := s.do(context.Background(), func(g *group) error {
		var heads []placeSum
		var bad error
		low, high := prefixRange(block, nibble*level)
		err := g.view.scan(placesBetween(low, high), func(key, value []byte) bool {
			if len(key) != headKeySize || len(value) < fingerprintSize {
				return true
			}
			var h placeSum
			copy(h.at[:], key[1:])
			h.sum, bad = parseFingerprint(value[:fingerprintSize])
			heads = append(heads, h)
			return bad == nil
		})
		if err == nil {
			err = bad
		}
		if err == nil {
			s.sums.refine(block, level, heads)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("add up what is under %s: %w", block, err)
	}
	return nil
}

// A placeSum is the fingerprint of a place.
type placeSum struct {
	at  records.Coordinate
	sum records.Fingerprint
}

// refine makes the children of the node at a block of the places there, which are
// in order.
func (s *sums) refine(block records.Coordinate, level int, places []placeSum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &s.root
	for l := range level {
		n = n.grow(halfByte(block, l))
	}
	if n.children == nil {
		n.children = new([fanOut]*sumNode)
		n.divide(level, places, s.fine)
	}
}

func (n *sumNode) divide(level int, places []placeSum, fine uint64) {
	if n.sum.Count <= fine || level == fullTree {
		return
	}
	for i := range fanOut {
		var child sumNode
		at := 0
		for at < len(places) && halfByte(places[at].at, level) == i {
			child.sum = child.sum.Plus(places[at].sum)
			at++
		}
		if at > 0 {
			*n.grow(i) = child
			n.children[i].divide(level+1, places[:at], fine)
			places = places[at:]
		}
	}
}

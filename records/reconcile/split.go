package reconcile

import (
	"fmt"

	"github.com/starling-social/starling/records"
)

// How ranges are cut; docs/decisions/0015 has the measurements.
const (
	// branch is about how many parts a range is split into: wide, so that few
	// rounds are needed, and not so wide that every difference costs many marks.
	branch = 16
	// few is how many elements are listed rather than split.
	few = 32
	// most bounds a list, whoever makes it: the sets change meanwhile, and one side
	// may have few where the other has some more.
	most = 4 * few
	// uneven is how many times its share a part may have before it is cut too.
	uneven = 4
	// listable is how many elements are read rather than looking for the half byte in
	// which they differ: a full place has many at one coordinate.
	listable = 8 * most
)

// A part is a part of a range that was split: from the end of the one before.
type part struct {
	to Bound
	f  records.Fingerprint
}

// split cuts a range of f.Count elements into parts of about the same count, and
// tells what that cost.
func split(set Set, from, to Bound, f records.Fingerprint) (parts []part, items int, err error) {
	s := splitter{set: set, target: max(f.Count/branch, few/2)}
	if f.Count <= most {
		err = s.list(from, to)
	} else {
		err = s.walk(from, to, 0, f)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("split: %w", err)
	}
	return s.parts, s.items, nil
}

// A splitter cuts along the blocks of elements that share their first half bytes:
// coordinates are hashes, so blocks of one size have about as many elements each,
// their bounds are short, and a store knows the fingerprints of the larger ones.
type splitter struct {
	set    Set
	target uint64 // elements of a part
	parts  []part
	items  int
}

const (
	blocks   = 16 // in the next larger one
	maxDepth = 2 * elementSize
)

// walk cuts a range that lies in one block of so many half bytes.
func (s *splitter) walk(from, to Bound, depth int, f records.Fingerprint) error {
	if f.Count <= uneven*s.target || depth == maxDepth {
		s.add(to, f)
		return nil
	}
	ends := blockEnds(from, to, depth)
	if len(ends) == 1 {
		return s.walk(from, to, depth+1, f)
	}
	for _, end := range ends {
		f, err := s.set.Fingerprint(from, end)
		s.items += fingerprintItems
		switch {
		case err != nil:
		case f.Count > uneven*s.target && f.Count <= listable:
			err = s.list(from, end)
		default:
			err = s.walk(from, end, depth+1, f)
		}
		if err != nil {
			return err
		}
		from = end
	}
	return nil
}

// add makes the range up to a bound a part, or part of the last one if both are small.
func (s *splitter) add(to Bound, f records.Fingerprint) {
	if n := len(s.parts); n > 0 {
		last := &s.parts[n-1]
		if f.Count == 0 || last.f.Count == 0 || last.f.Count+f.Count <= s.target {
			last.to, last.f = to, last.f.Plus(f)
			return
		}
	}
	s.parts = append(s.parts, part{to, f})
}

// blockEnds are where the blocks of depth+1 half bytes end that a range within one
// block of depth half bytes reaches into.
func blockEnds(from, to Bound, depth int) []Bound {
	var ends []Bound
	first := halfByte(from, depth)
	for d := first + 1; d < blocks; d++ {
		end := withHalfByte(from, depth, d)
		if end >= to {
			break
		}
		ends = append(ends, end)
	}
	return append(ends, to)
}

// halfByte is the i-th half byte of a bound.
func halfByte(b Bound, i int) byte {
	switch {
	case i/2 >= len(b):
		return 0
	case i%2 == 0:
		return b[i/2] >> 4
	default:
		return b[i/2] & 0xf
	}
}

// withHalfByte is the first i half bytes of b and then d, which is not 0.
func withHalfByte(b Bound, i int, d byte) Bound {
	out := make([]byte, i/2+1)
	copy(out, b)
	if i%2 == 0 {
		out[i/2] = d << 4
	} else {
		out[i/2] = out[i/2]&0xf0 | d
	}
	return Bound(out)
}

// list cuts a range of few elements between them.
func (s *splitter) list(from, to Bound) error {
	elements, err := s.set.List(from, to, listable)
	if err != nil {
		return err
	}
	s.items += len(elements)
	for len(elements) > 0 {
		n := min(int(s.target), len(elements))
		var f records.Fingerprint
		for _, e := range elements[:n] {
			f = f.Plus(e.Fingerprint())
		}
		end := to
		if n < len(elements) {
			end = between(elements[n-1], elements[n])
		}
		s.parts = append(s.parts, part{end, f})
		elements, from = elements[n:], end
	}
	if from < to { // it has become empty
		s.add(to, records.Fingerprint{})
	}
	return nil
}

// between is the shortest bound that a is before and b is not. Versions of one
// thing that the other side has instead of b lie on the same side of it as b.
func between(a, b Element) Bound {
	x, y := a.bytes(), b.bytes()
	n := 0
	for x[n] == y[n] {
		n++
	}
	return Bound(y[:n+1])
}

package datastore

import (
	"fmt"
	"sync"

	"github.com/starling-social/starling/records"
)

// sumBits is the length of the coordinate prefixes whose fingerprints are kept
// on disk, one key for each that has entries. The sums of shorter prefixes are
// made of these when the store is opened and then kept in memory, so that two
// nodes that agree find out without a scan. Longer ones are made of the heads
// of places: with a million entries and all of the ring, 16 a prefix. A node that
// holds a small part of the ring has far more under each; where somebody compares
// parts of such a prefix, finer sums are made once and then kept up to date.
const sumBits = 16

// fineEntries is how many entries are read at most to add up a part of what the
// tree has one sum of.
const fineEntries = 256

// Each level of the tree of sums splits on one nibble of the coordinate.
const (
	nibble   = 4
	fanOut   = 1 << nibble
	sumTree  = sumBits / nibble            // levels below the root that are on disk
	fullTree = 8 * coordinateSize / nibble // levels below the root down to a place
)

// sums is the tree of fingerprints of coordinate prefixes, from the empty one to
// those on disk. It is sparse: a node that holds a part of the ring has only
// that part of the tree.
type sums struct {
	fine uint64 // fineEntries

	mu   sync.RWMutex // protects root; the committer alone writes
	root sumNode
}

// A sumNode has no children where there is nothing, and from level sumTree on
// also where they have not been asked for.
type sumNode struct {
	sum      records.Fingerprint
	children *[fanOut]*sumNode // nil where there are none
}

// change adds and takes away fingerprints of one place.
type sumChange struct{ plus, minus records.Fingerprint }

func (c sumChange) of(f records.Fingerprint) records.Fingerprint {
	return f.Plus(c.plus).Minus(c.minus)
}

// replace takes the place of all that is here.
func (s *sums) replace(by *sums) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.root = by.root
}

// apply carries out changes at every level of the tree.
func (s *sums) apply(changes map[records.Coordinate]sumChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, c := range changes {
		n := &s.root
		n.sum = c.of(n.sum)
		for level := 0; level < sumTree || n.children != nil; level++ {
			n = n.grow(halfByte(at, level))
			n.sum = c.of(n.sum)
		}
	}
}

// grow is a child of n, made if need be.
func (n *sumNode) grow(i int) *sumNode {
	if n.children == nil {
		n.children = new([fanOut]*sumNode)
	}
	c := &n.children[i]
	if *c == nil {
		*c = new(sumNode)
	}
	return *c
}

// halfByte is the nibble of a coordinate on which a level of the tree splits.
func halfByte(at records.Coordinate, level int) int {
	b := at[level/2]
	if level%2 == 0 {
		b >>= nibble
	}
	return int(b & (fanOut - 1))
}

// leaf is the fingerprint of a 16-bit prefix. Only the committer calls it: it
// takes no lock, because nobody else writes.
func (s *sums) leaf(prefix uint16) records.Fingerprint {
	n := &s.root
	for level := range sumTree {
		if n.children == nil || n.children[nibbleOf(prefix, level)] == nil {
			return records.Fingerprint{}
		}
		n = n.children[nibbleOf(prefix, level)]
	}
	return n.sum
}

// under is the fingerprint of the coordinates that share the first bits of
// prefix, of which there are at most sumBits.
func (s *sums) under(prefix uint16, bits int) records.Fingerprint {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := &s.root
	for level := range bits / nibble {
		if n.children == nil || n.children[nibbleOf(prefix, level)] == nil {
			return records.Fingerprint{}
		}
		n = n.children[nibbleOf(prefix, level)]
	}
	return n.part(nibbleOf(prefix, bits/nibble), bits%nibble)
}

// part is the sum of the children whose nibble shares the first bits of first.
func (n *sumNode) part(first, bits int) records.Fingerprint {
	if bits == 0 {
		return n.sum
	}
	var sum records.Fingerprint
	if n.children == nil {
		return sum
	}
	size := fanOut >> bits
	from := first &^ (size - 1)
	for _, c := range n.children[from : from+size] {
		if c != nil {
			sum = sum.Plus(c.sum)
		}
	}
	return sum
}

// nibbleOf is the nibble of prefix on which a level of the tree splits; 0 below it.
func nibbleOf(prefix uint16, level int) int {
	if level >= sumTree {
		return 0
	}
	return int(prefix>>(sumBits-nibble*(level+1))) & (fanOut - 1)
}

// sumPrefix is the part of a coordinate by which sums are kept.
func sumPrefix(at records.Coordinate) uint16 { return uint16(at[0])<<8 | uint16(at[1]) }

// loadSums makes the tree of the sums on disk.
func loadSums(v snapshot) (*sums, error) {
	changes := map[records.Coordinate]sumChange{}
	var bad error
	err := v.scan(under([]byte{sectionSum}), func(key, value []byte) bool {
		var prefix uint16
		var sum records.Fingerprint
		if prefix, sum, bad = parseSum(key, value); bad != nil {
			return false
		}
		changes[records.Coordinate{byte(prefix >> 8), byte(prefix)}] = sumChange{plus: sum}
		return true
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return nil, fmt.Errorf("read fingerprints: %w", err)
	}
	s := new(sums)
	s.apply(changes)
	return s, nil
}

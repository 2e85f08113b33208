package reconcile

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"github.com/starling-social/starling/records"
)

// ErrMessage is what a message is that no honest peer of this version sends.
var ErrMessage = errors.New("message breaks the rules of reconciliation")

// Element is one entry of a replica: version ID of the thing Key stands at a
// coordinate.
type Element struct {
	At  records.Coordinate
	Key records.ItemKey
	ID  records.ID
}

// Fingerprint is that of the set of this element alone.
func (e Element) Fingerprint() records.Fingerprint { return records.Element(e.At, e.Key, e.ID) }

// Compare orders elements by coordinate, item key and record id.
func (e Element) Compare(o Element) int {
	return cmp.Or(e.compareKey(o), bytes.Compare(e.ID[:], o.ID[:]))
}

// compareKey is 0 for versions of one thing in one place.
func (e Element) compareKey(o Element) int {
	return cmp.Or(bytes.Compare(e.At[:], o.At[:]), bytes.Compare(e.Key[:], o.Key[:]))
}

// Sizes in bytes.
const (
	coordinateSize = len(records.Coordinate{})
	keySize        = len(records.ItemKey{})
	elementSize    = coordinateSize + keySize + len(records.ID{})
)

func (e Element) bytes() (b [elementSize]byte) {
	n := copy(b[:], e.At[:])
	n += copy(b[n:], e.Key[:])
	copy(b[n:], e.ID[:])
	return b
}

// Bound is a point in the order of elements: the first bytes of one, without
// zeros at their end. A range goes from one bound to another, that one excluded.
// Bounds compare as strings do.
type Bound string

const (
	// Start is before every element.
	Start Bound = ""
	// End is after every element: one byte longer than any.
	End = of32ff + of32ff + of32ff + "\xff"

	of8ff        = "\xff\xff\xff\xff\xff\xff\xff\xff"
	of32ff Bound = of8ff + of8ff + of8ff + of8ff
)

// BoundOf is the bound that e is the first element after.
func BoundOf(e Element) Bound {
	b := e.bytes()
	return trim(b[:])
}

// trim is the bound of these bytes.
func trim(b []byte) Bound {
	return Bound(bytes.TrimRight(b, "\x00"))
}

// Before tells whether e comes before the bound.
func (e Element) Before(b Bound) bool {
	own := e.bytes()
	return string(own[:]) < string(b)
}

// Coordinate is the one that the bound lies in; whole is whether all elements
// there come after it.
func (b Bound) Coordinate() (at records.Coordinate, whole bool) {
	copy(at[:], b)
	return at, len(b) <= coordinateSize
}

// Under is the range of the coordinates that share the first bits of prefix, of
// which there are 0 to 256.
func Under(prefix records.Coordinate, bits int) (from, to Bound) {
	bits = min(max(bits, 0), 8*coordinateSize)
	next := prefix
	for i := range next {
		keep := byte(0xff)
		switch left := bits - 8*i; {
		case left <= 0:
			keep = 0
		case left < 8:
			keep = 0xff << (8 - left)
		}
		prefix[i] &= keep
		next[i] |= ^keep
	}
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return trim(prefix[:]), trim(next[:])
		}
	}
	return trim(prefix[:]), End
}

// Set is what one side holds, in order. It may change between calls, and even
// during one, as long as what is told of any part of a range was so at one
// moment.
type Set interface {
	// Fingerprint is that of the elements of a range.
	Fingerprint(from, to Bound) (records.Fingerprint, error)
	// List is the first elements of a range, at most limit, in order.
	List(from, to Bound, limit int) ([]Element, error)
}

// Difference is one thing at one coordinate of which not both sides have the same
// version. The zero id is that of a side that has none. Where both have one, only
// the records tell which of them wins.
type Difference struct {
	At     records.Coordinate
	Key    records.ItemKey
	Ours   records.ID
	Theirs records.ID // a claim
}

// pair makes differences of what either side alone has, both in order.
func pair(ours, theirs []Element) []Difference {
	var out []Difference
	for len(ours)+len(theirs) > 0 {
		var c int
		switch {
		case len(theirs) == 0:
			c = -1
		case len(ours) == 0:
			c = 1
		default:
			c = ours[0].compareKey(theirs[0])
		}
		var d Difference
		if c <= 0 {
			d.At, d.Key, d.Ours = ours[0].At, ours[0].Key, ours[0].ID
			ours = ours[1:]
		}
		if c >= 0 {
			d.At, d.Key, d.Theirs = theirs[0].At, theirs[0].Key, theirs[0].ID
			theirs = theirs[1:]
		}
		out = append(out, d)
	}
	return out
}

// without is what of a is not in b, both in order.
func without(a, b []Element) []Element {
	return slices.DeleteFunc(slices.Clone(a), func(e Element) bool {
		_, found := slices.BinarySearchFunc(b, e, Element.Compare)
		return found
	})
}

package reconcile

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/starling-social/starling/records"
)

// A message is the salt, the bound at which it begins, and ranges; an answer is
// ranges alone, which begin where the message did. Every range says where it ends
// and what is said of it; the next begins there.
//
//	range   uvarint (16 × length + 8 × inside + mode) | bound | what the mode has
//
// The bound of length 0 is End. Of one that is inside the place of the bound before,
// the coordinate is left out. Numbers are unsigned varints in their shortest form.

// A mode is what is said of a range.
type mode uint8

const (
	same  mode = iota // nothing more: it is not in question, or no longer
	sum               // count | unless 0: mark. Of a message: is yours the same? Of an answer: mine, one of several parts
	list              // n | n digests: all that I have
	want              // n | n digests: of these I want to know what they are
	diff              // n | n indices into your list of what I lack, each less the one before less 1 | n | elements that you lack
	whole             // n | elements: all that I have
	modes
)

// The first number of a range, beside its mode.
const (
	inside     = 1 << 3
	lengthBits = 4 // from here on
)

// A span is a range and what is said of it.
type span struct {
	from, to Bound
	mode     mode
	count    uint64
	mark     mark
	digests  []digest
	indices  []int
	elements []Element
}

// A writer appends ranges. Those it is not told of are the same.
type writer struct {
	b      []byte
	at     Bound
	ranges int
}

// begin makes the message's head.
func begin(salt Salt, from Bound) *writer {
	w := &writer{b: append([]byte{}, salt[:]...), at: from}
	w.number(uint64(len(from)))
	w.b = append(w.b, from...)
	return w
}

func (w *writer) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

// open begins a range, which is not before the last one's end.
func (w *writer) open(from, to Bound, m mode) {
	w.same(from)
	bound, flags := to, uint64(m)
	if to == End {
		bound = ""
	} else if within(w.at, to) {
		bound, flags = to[coordinateSize:], flags|inside
	}
	w.number(uint64(len(bound))<<lengthBits | flags)
	w.b = append(w.b, bound...)
	w.at = to
	w.ranges++
}

// within tells whether a bound is inside the place that the one before is at.
func within(before, b Bound) bool {
	at, _ := before.Coordinate()
	return len(b) > coordinateSize && string(b[:coordinateSize]) == string(at[:])
}

// same says that nothing more is said up to a bound.
func (w *writer) same(to Bound) {
	if w.at < to {
		w.open(w.at, to, same)
	}
}

func (w *writer) sum(from, to Bound, f records.Fingerprint, h hasher) {
	w.open(from, to, sum)
	w.number(f.Count)
	if f.Count > 0 {
		m := h.mark(f)
		w.b = append(w.b, m[:]...)
	}
}

func (w *writer) digests(from, to Bound, m mode, ds []digest) {
	w.open(from, to, m)
	w.number(uint64(len(ds)))
	for _, d := range ds {
		w.b = append(w.b, d[:]...)
	}
}

func (w *writer) diff(from, to Bound, lacked []int, elements []Element) {
	w.open(from, to, diff)
	w.number(uint64(len(lacked)))
	last := -1
	for _, i := range lacked {
		w.number(uint64(i - last - 1))
		last = i
	}
	w.elements(elements)
}

func (w *writer) whole(from, to Bound, elements []Element) {
	w.open(from, to, whole)
	w.elements(elements)
}

// elements writes of each how many bytes of its coordinate are those of the one
// before, and what is left.
func (w *writer) elements(elements []Element) {
	w.number(uint64(len(elements)))
	var last records.Coordinate
	for _, e := range elements {
		n := 0
		for n < coordinateSize && e.At[n] == last[n] {
			n++
		}
		last = e.At
		w.b = append(w.b, byte(n))
		w.b = append(w.b, e.At[n:]...)
		w.b = append(w.b, e.Key[:]...)
		w.b = append(w.b, e.ID[:]...)
	}
}

// A reader takes a message of a stranger apart. What it makes is bounded by the
// message's length.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrMessage}, args...)...)
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail("it ends too early")
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.fail("a number is not in its shortest form")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// length is a number of things of at least so many bytes each, and at most limit.
func (r *reader) length(each, limit int) int {
	n := r.number()
	if n > uint64(min(limit, len(r.b)/max(each, 1))) {
		r.fail("%d entries", n)
		return 0
	}
	return int(n)
}

// bound reads a bound of n bytes, of which 0 are what empty says.
func (r *reader) bound(n uint64, empty Bound) Bound {
	if n == 0 {
		return empty
	}
	if n > uint64(elementSize) {
		r.fail("a bound of %d bytes", n)
		return empty
	}
	b := r.take(int(n))
	if len(b) > 0 && b[len(b)-1] == 0 {
		r.fail("a bound ends in zero")
	}
	return Bound(b)
}

// boundInside reads the n bytes of a bound that follow the coordinate of the one before.
func (r *reader) boundInside(n uint64, before Bound) Bound {
	if n == 0 || n > uint64(elementSize-coordinateSize) {
		r.fail("a bound of %d bytes inside a place", n)
		return End
	}
	at, _ := before.Coordinate()
	return Bound(at[:]) + r.bound(n, End)
}

// head is the beginning of a message.
func (r *reader) head() (salt Salt, from Bound) {
	copy(salt[:], r.take(len(salt)))
	return salt, r.bound(r.number(), Start)
}

// next is the range that begins at a bound and ends at limit or before.
func (r *reader) next(from, limit Bound) span {
	n := r.number()
	s := span{from: from, mode: mode(n & (inside - 1))}
	if n&inside == 0 {
		s.to = r.bound(n>>lengthBits, End)
	} else {
		s.to = r.boundInside(n>>lengthBits, from)
	}
	if r.err == nil && (s.to <= from || s.to > limit || s.mode >= modes) {
		r.fail("a range ends outside, or is of a mode that there is not")
	}
	switch s.mode {
	case sum:
		if s.count = r.number(); s.count > 0 {
			copy(s.mark[:], r.take(markSize))
		}
	case list, want:
		s.digests = make([]digest, r.length(digestSize, most))
		for i := range s.digests {
			copy(s.digests[i][:], r.take(digestSize))
		}
	case diff:
		s.indices = r.indices()
		s.elements = r.elements(s.from, s.to)
	case whole:
		s.elements = r.elements(s.from, s.to)
	default:
	}
	return s
}

func (r *reader) indices() []int {
	out := make([]int, r.length(1, most))
	last := -1
	for i := range out {
		n := r.number()
		if n > math.MaxInt32 {
			r.fail("index %d", n)
			return nil
		}
		last += int(n) + 1
		out[i] = last
	}
	return out
}

// elements reads elements of a range, which ascend.
func (r *reader) elements(from, to Bound) []Element {
	out := make([]Element, r.length(1+elementSize-coordinateSize, most))
	var last Element
	for i := range out {
		e := Element{At: last.At}
		shared := r.take(1)
		if len(shared) == 1 && int(shared[0]) <= coordinateSize {
			copy(e.At[shared[0]:], r.take(coordinateSize-int(shared[0])))
		} else {
			r.fail("an element without its coordinate")
		}
		copy(e.Key[:], r.take(keySize))
		copy(e.ID[:], r.take(len(e.ID)))
		if r.err == nil && (e.Before(from) || !e.Before(to) || i > 0 && e.Compare(last) <= 0) {
			r.fail("elements outside of their range, or out of order")
		}
		out[i], last = e, e
	}
	return out
}

// spans reads ranges up to the end of the message, at most maxRanges.
func (r *reader) spans(from, to Bound) []span {
	var out []span
	for at := from; len(r.b) > 0; {
		if len(out) == maxRanges {
			r.fail("more than %d ranges", maxRanges)
			break
		}
		s := r.next(at, to)
		at = s.to
		out = append(out, s)
	}
	return out
}

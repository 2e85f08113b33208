package reconcile

import (
	"fmt"
	"slices"
)

// Limits bound what a message takes, whoever made it, and how many there are.
type Limits struct {
	Bytes int // of a message, at least MinBytes; one of N bytes makes some 100 N of memory
	Items int // elements read for one message, at least 1: it ends early beyond that; a fingerprint counts as 16

	Rounds int // messages of a session; 0 for as many as it takes

	// Enough is asked before each range but the first of an answer whether to end
	// there, so that one who answers can go by the time it takes. Nil is never.
	Enough func() bool
}

// fingerprintItems is what a fingerprint costs: those of a store add up as many
// entries at either end of a range as it does not know the sum of.
const fingerprintItems = 16

// MinBytes is what a message must be allowed to have: every answer to one range
// fits it.
const MinBytes = 16 << 10

// maxRanges is how many ranges a message may have.
const maxRanges = 1 << 15

// What the largest addition to a message takes at most: a list of most elements
// with its bound, or the parts of a range.
const (
	addedBytes  = MinBytes - 1<<10
	addedRanges = 4 * branch
)

// full tells whether there may not be room for one more addition.
func (w *writer) full(l Limits) bool {
	return len(w.b)+addedBytes > max(l.Bytes, MinBytes) || w.ranges+addedRanges > maxRanges
}

// Respond answers a message of a session about elements from one bound to
// another, whatever the message says it is about. It keeps nothing between
// messages. Where limits do not allow for all of it, the answer ends early and the
// session asks again for the rest. A message that breaks the rules is [ErrMessage].
func Respond(set Set, from, to Bound, message []byte, limits Limits) ([]byte, error) {
	r := reader{b: message}
	salt, at := r.head()
	if r.err == nil && (at < from || at >= to) {
		r.fail("it is about another range")
	}
	asked := r.spans(at, to)
	if r.err != nil {
		return nil, r.err
	}
	a := responder{set: set, hash: newHasher(salt), w: &writer{at: at}, limits: limits}
	for i, s := range asked {
		if a.full() || i > 0 && limits.Enough != nil && limits.Enough() {
			break
		}
		covered, err := a.answer(s)
		if err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		if at = covered; covered < s.to {
			break
		}
	}
	a.w.same(at)
	return a.w.b, nil
}

// A responder is an answer in the making.
type responder struct {
	set    Set
	hash   hasher
	w      *writer
	limits Limits
	items  int
}

func (a *responder) full() bool { return a.w.full(a.limits) || a.items >= a.limits.Items }

// answer says what is here of a range, up to a bound that is its end unless there
// was not room for all of it.
func (a *responder) answer(s span) (covered Bound, err error) {
	switch s.mode {
	case same:
	case sum:
		a.items += fingerprintItems
		return a.compare(s)
	case list:
		err = a.diff(s, a.lists)
	case want:
		err = a.diff(s, a.tells)
	default:
		err = fmt.Errorf("%w: an answer instead of a question", ErrMessage)
	}
	return s.to, err
}

// compare answers what the other side's part of the range adds up to.
func (a *responder) compare(s span) (Bound, error) {
	own, err := a.set.Fingerprint(s.from, s.to)
	switch {
	case err != nil:
		return s.from, err
	case own.Count == 0 && s.count > 0:
		a.w.digests(s.from, s.to, list, nil)
		return s.to, nil
	case own.Count == s.count && (s.count == 0 || a.hash.mark(own) == s.mark):
		return s.to, nil
	case s.count == 0:
		return a.everything(s.from, s.to)
	case own.Count > few:
		return s.to, a.split(s)
	}
	elements, err := a.read(s.from, s.to, most)
	if err != nil {
		return s.from, err
	}
	if s.count > most || len(elements) == most {
		return a.everything(s.from, s.to)
	}
	ds := make([]digest, len(elements))
	for i, e := range elements {
		ds[i] = a.hash.digest(e)
	}
	a.w.digests(s.from, s.to, list, ds)
	return s.to, nil
}

func (a *responder) read(from, to Bound, limit int) ([]Element, error) {
	elements, err := a.set.List(from, to, limit)
	a.items += len(elements)
	return elements, err
}

// everything tells all that is here, a piece at a time.
func (a *responder) everything(from, to Bound) (covered Bound, err error) {
	for {
		elements, err := a.read(from, to, most)
		if err != nil {
			return from, err
		}
		n, end := pieceOf(elements, to)
		a.w.whole(from, end, elements[:n])
		if from = end; from == to || a.full() {
			return from, nil
		}
	}
}

// pieceOf is how many of these elements, the first of a range, make a piece of it,
// and where it ends. Versions of one thing are not parted.
func pieceOf(elements []Element, to Bound) (n int, end Bound) {
	if len(elements) < most {
		return len(elements), to
	}
	last := elements[most-1]
	n = most - 1
	for n > 0 && elements[n-1].compareKey(last) == 0 {
		n--
	}
	if n == 0 { // whatever that is: no store has so many versions of one thing
		return most - 1, BoundOf(last)
	}
	return n, between(elements[n-1], elements[n])
}

// split says what the parts of the range add up to.
func (a *responder) split(s span) error {
	own, err := a.set.Fingerprint(s.from, s.to)
	if err != nil {
		return err
	}
	parts, items, err := split(a.set, s.from, s.to, own)
	if err != nil {
		return err
	}
	a.items += items
	from := s.from
	for _, p := range parts {
		a.w.sum(from, p.to, p.f, a.hash)
		from = p.to
	}
	return nil
}

// diff answers a list of digests, unless there is so much here by now that the
// range has to be split first.
func (a *responder) diff(s span, answer func(span, []Element)) error {
	elements, err := a.read(s.from, s.to, most+1)
	if err != nil {
		return err
	}
	if len(elements) > most {
		return a.split(s)
	}
	answer(s, elements)
	return nil
}

// lists answers a list of all that the other side has.
func (a *responder) lists(s span, own []Element) {
	theirs := make(map[digest]bool, len(s.digests))
	for _, d := range s.digests {
		theirs[d] = true
	}
	ours := a.hash.known(own)
	var lacked []int
	for i, d := range s.digests {
		if _, here := ours[d]; !here {
			lacked = append(lacked, i)
		}
	}
	var more []Element
	for _, e := range own {
		if !theirs[a.hash.digest(e)] {
			more = append(more, e)
		}
	}
	if len(lacked)+len(more) > 0 {
		a.w.diff(s.from, s.to, lacked, more)
	}
}

// tells answers what the elements with some digests are.
func (a *responder) tells(s span, own []Element) {
	ours := a.hash.known(own)
	var found []Element
	for _, d := range s.digests {
		if i, here := ours[d]; here {
			found = append(found, own[i])
		}
	}
	slices.SortFunc(found, Element.Compare)
	a.w.diff(s.from, s.to, nil, slices.CompactFunc(found, func(x, y Element) bool { return x == y }))
}

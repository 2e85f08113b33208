package reconcile

import (
	"fmt"
	"slices"
)

// Session is the side that asks: a conversation about a range, of which it keeps
// what is still open. One goroutine uses it.
//
//	s := reconcile.NewSession(set, salt, from, to, limits)
//	for var answer []byte; !s.Done(); {
//		differences, message, err := s.Step(answer)
//		…
//		answer = nil
//		if message != nil { answer = … }
//	}
type Session struct {
	set    Set
	salt   Salt
	hash   hasher
	to     Bound
	limits Limits

	open  []task // ascending, without overlap; ranges between them are settled
	asked []task // what the last message asked, the same

	rounds int // messages so far
}

// A task is a range that is not settled.
type task struct {
	from, to Bound
	todo     todo
	count    uint64    // of differing: how many the other side has, if it said so
	counted  bool      // whether it did
	ours     []Element // of listed and unknown: what we listed; what they do not have
	theirs   []Element // of offering: all that they have, most at most
	digests  []digest  // of unknown: what we do not have
}

// A todo is what comes next for a range.
type todo uint8

const (
	comparing todo = iota // ask whether they have the same
	differing             // it differs: split or list it
	listed                // we listed all of ours: see what they say
	unknown               // they listed all of theirs: ask what we do not know
	offering              // what they have is known: go through ours
)

// maxOpen bounds what a session keeps: an answer of the largest frame has some
// 70,000 ranges of no use but to fill it. What is beyond is compared anew.
const maxOpen = 1 << 15

// maxOffered is how many of our elements one step goes through where theirs are
// known: who has nothing is not told of a million at once.
const maxOffered = 1 << 12

// NewSession begins a conversation about the elements from one bound to another.
// The salt is drawn at random by the caller, for this session alone.
func NewSession(set Set, salt Salt, from, to Bound, limits Limits) *Session {
	s := &Session{set: set, salt: salt, hash: newHasher(salt), to: to, limits: limits}
	if from < to {
		s.open = []task{{from: from, to: to, todo: differing}} // in parts at once: 200 bytes if nothing differs, a round less if something does
	}
	return s
}

// Done tells whether all of the range has been compared, or as much as the limit
// of rounds allows: Rest says.
func (s *Session) Done() bool {
	if len(s.asked) > 0 {
		return false
	}
	offers := func(t task) bool { return t.todo == offering }
	return len(s.open) == 0 || s.exhausted() && !slices.ContainsFunc(s.open, offers)
}

func (s *Session) exhausted() bool { return s.limits.Rounds > 0 && s.rounds >= s.limits.Rounds }

// Rest is from where on not all has been compared yet; with the end of the range
// when all has. A session that begins there goes on with what this one leaves.
func (s *Session) Rest() Bound {
	rest := s.to
	for _, tasks := range [][]task{s.open, s.asked} {
		if len(tasks) > 0 {
			rest = min(rest, tasks[0].from)
		}
	}
	return rest
}

// Step takes the answer to the last message, nil if there was none, and returns
// what is known to differ by it and the next message. There may be nothing to ask
// and yet more to tell: the message is nil then, and Step is called again until
// the session is done. An answer that breaks the rules is [ErrMessage]; it
// leaves the session as it was, so that the caller may stop at [Session.Rest].
func (s *Session) Step(answer []byte) (found []Difference, message []byte, err error) {
	if len(s.asked) > 0 {
		if found, err = s.take(answer); err != nil {
			return nil, nil, fmt.Errorf("take answer: %w", err)
		}
	}
	more, err := s.offer()
	if err != nil {
		return nil, nil, fmt.Errorf("list what is here: %w", err)
	}
	if message, err = s.ask(); err != nil {
		return nil, nil, fmt.Errorf("ask: %w", err)
	}
	return append(found, more...), message, nil
}

// offer goes through our elements where theirs are known.
func (s *Session) offer() (found []Difference, err error) {
	var left []task
	items := 0
	for _, t := range s.open {
		for t.todo == offering && items < min(s.limits.Items, maxOffered) && t.from < t.to {
			elements, err := s.set.List(t.from, t.to, most)
			if err != nil {
				return nil, err
			}
			items += len(elements) + 1
			n, end := pieceOf(elements, t.to)
			here := inRange(t.theirs, t.from, end)
			found = append(found, pair(without(elements[:n], here), without(here, elements[:n]))...)
			t.from = end
		}
		if t.from < t.to {
			left = append(left, t)
		}
	}
	s.open = left
	return found, nil
}

// inRange is what of some elements, in order, lies in a range.
func inRange(elements []Element, from, to Bound) []Element {
	before := func(b Bound) int {
		n, _ := slices.BinarySearchFunc(elements, b, func(e Element, b Bound) int {
			if e.Before(b) {
				return -1
			}
			return 1
		})
		return n
	}
	return elements[before(from):before(to)]
}

// ask makes a message of as many open ranges, from the first, as it has room for.
func (s *Session) ask() ([]byte, error) {
	if s.exhausted() {
		return nil, nil
	}
	var w *writer
	var left []task
	items := 0
	for i, t := range s.open {
		if t.todo == offering {
			left = append(left, t)
			continue
		}
		if w == nil {
			w = begin(s.salt, t.from)
		}
		if w.full(s.limits) || items >= s.limits.Items {
			left = append(left, s.open[i:]...)
			break
		}
		n, err := s.askFor(w, t)
		if err != nil {
			return nil, err
		}
		items += n
	}
	s.open = left
	if w == nil {
		return nil, nil
	}
	s.rounds++
	return w.b, nil
}

// askFor puts a range into the message and returns what that cost.
func (s *Session) askFor(w *writer, t task) (items int, err error) {
	if t.todo == unknown {
		w.digests(t.from, t.to, want, t.digests)
		s.asked = append(s.asked, t)
		return len(t.digests), nil
	}
	own, err := s.set.Fingerprint(t.from, t.to)
	if err != nil {
		return 0, err
	}
	parts := []part{{t.to, own}}
	switch {
	case t.todo == comparing, own.Count == 0, own.Count > few && t.counted && t.count <= few:
	case own.Count <= few:
		return s.list(w, t)
	default:
		if parts, items, err = split(s.set, t.from, t.to, own); err != nil {
			return 0, err
		}
	}
	from := t.from
	for _, p := range parts {
		w.sum(from, p.to, p.f, s.hash)
		s.asked = append(s.asked, task{from: from, to: p.to, todo: comparing})
		from = p.to
	}
	return items + fingerprintItems, nil
}

// list puts all that we have in a range into the message.
func (s *Session) list(w *writer, t task) (items int, err error) {
	elements, err := s.set.List(t.from, t.to, most)
	if err != nil {
		return 0, err
	}
	ds := make([]digest, len(elements))
	for i, e := range elements {
		ds[i] = s.hash.digest(e)
	}
	w.digests(t.from, t.to, list, ds)
	s.asked = append(s.asked, task{from: t.from, to: t.to, todo: listed, ours: elements})
	return len(elements), nil
}

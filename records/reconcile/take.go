package reconcile

import (
	"fmt"
	"slices"
)

// An intake is an answer on its way into a session.
type intake struct {
	*Session
	open  []task // what the answer leaves to do
	found []Difference
}

// take works an answer in. It covers what was asked from the beginning, not
// necessarily to the end; what it does not reach is asked again.
func (s *Session) take(answer []byte) ([]Difference, error) {
	from, to := s.asked[0].from, s.asked[len(s.asked)-1].to
	r := reader{b: answer}
	spans := r.spans(from, to)
	if r.err == nil && len(spans) == 0 {
		r.fail("it says nothing")
	}
	if r.err != nil {
		return nil, r.err
	}
	in := intake{Session: s}
	asked := s.asked
	for _, p := range spans {
		for asked[0].to <= p.from {
			asked = asked[1:]
		}
		if err := in.span(asked, p); err != nil {
			return nil, err
		}
	}
	in.rest(asked, spans[len(spans)-1].to)
	s.open = bounded(append(in.open, s.open...))
	s.asked = nil
	return in.found, nil
}

// rest keeps what the answer did not reach.
func (in *intake) rest(asked []task, covered Bound) {
	for _, t := range asked {
		switch {
		case t.to <= covered:
			continue
		case t.from < covered:
			t = task{from: covered, to: t.to, todo: differing}
		case t.todo == listed:
			t = task{from: t.from, to: t.to, todo: differing}
		}
		in.open = append(in.open, t)
	}
}

// bounded makes one range of the last ones when there are too many.
func bounded(open []task) []task {
	if len(open) <= maxOpen {
		return open
	}
	tail := open[maxOpen-1:]
	return append(open[:maxOpen-1:maxOpen-1], task{from: tail[0].from, to: tail[len(tail)-1].to, todo: comparing})
}

// span works in what is said of a range; the first of asked is what was asked
// where it begins.
func (in *intake) span(asked []task, p span) error {
	t := asked[0]
	if p.mode == same {
		return in.settle(asked, p)
	}
	if p.from < t.from || p.to > t.to {
		return fmt.Errorf("%w: it answers what was not asked", ErrMessage)
	}
	exact := p.from == t.from && p.to == t.to
	switch {
	case p.mode == sum && !exact:
		return in.part(p)
	case p.mode == list && exact && t.todo == comparing:
		return in.lists(p)
	case p.mode == whole && t.todo == comparing:
		in.add(task{from: p.from, to: p.to, todo: offering, theirs: p.elements})
		return nil
	case p.mode == diff && exact && t.todo == listed:
		return in.diff(t, p)
	case p.mode == diff && exact && t.todo == unknown && len(p.indices) == 0:
		in.found = append(in.found, pair(t.ours, without(p.elements, t.ours))...)
		return nil
	}
	return fmt.Errorf("%w: it is no answer to what was asked", ErrMessage)
}

func (in *intake) add(t task) { in.open = append(in.open, t) }

// settle is told that nothing, or nothing more, is to be said of some ranges.
// What they said before they do not have is still so.
func (in *intake) settle(asked []task, p span) error {
	for _, t := range asked {
		if t.from >= p.to {
			break
		}
		if t.todo == unknown && t.to <= p.to {
			in.found = append(in.found, pair(t.ours, nil)...)
		}
	}
	return nil
}

// part is told what a part of a range adds up to.
func (in *intake) part(p span) error {
	if p.count == 0 {
		in.add(task{from: p.from, to: p.to, todo: offering})
		return nil
	}
	own, err := in.set.Fingerprint(p.from, p.to)
	if err != nil {
		return err
	}
	if own.Count != p.count || in.hash.mark(own) != p.mark {
		in.add(task{from: p.from, to: p.to, todo: differing, count: p.count, counted: true})
	}
	return nil
}

// lists is told all that they have in a range.
func (in *intake) lists(p span) error {
	if len(p.digests) == 0 {
		in.add(task{from: p.from, to: p.to, todo: offering})
		return nil
	}
	own, err := in.set.List(p.from, p.to, most+1)
	if err != nil {
		return err
	}
	if len(own) > most { // ours has grown
		in.add(task{from: p.from, to: p.to, todo: differing, count: uint64(len(p.digests)), counted: true})
		return nil
	}
	theirs := make(map[digest]bool, len(p.digests))
	for _, d := range p.digests {
		theirs[d] = true
	}
	known := in.hash.known(own)
	ours := slices.DeleteFunc(own, func(e Element) bool { return theirs[in.hash.digest(e)] })
	unknowns := slices.DeleteFunc(p.digests, func(d digest) bool { _, ok := known[d]; return ok })
	if len(unknowns) == 0 {
		in.found = append(in.found, pair(ours, nil)...)
		return nil
	}
	in.add(task{from: p.from, to: p.to, todo: unknown, ours: ours, digests: unknowns})
	return nil
}

// diff is told what differs from our list.
func (in *intake) diff(t task, p span) error {
	var ours []Element
	for _, i := range p.indices {
		if i >= len(t.ours) {
			return fmt.Errorf("%w: index %d of %d", ErrMessage, i, len(t.ours))
		}
		ours = append(ours, t.ours[i])
	}
	in.found = append(in.found, pair(ours, without(p.elements, t.ours))...)
	return nil
}

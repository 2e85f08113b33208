package nodetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starling-social/starling/records"
)

// duration reads what time.ParseDuration does, and days: 30d.
func duration(text string) (time.Duration, error) {
	if days, is := strings.CutSuffix(text, "d"); is {
		n, err := strconv.Atoi(days)
		if err != nil || n > 100*366 || n < -100*366 {
			return 0, fmt.Errorf("%q is no number of days", text)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}

func (s *stage) pass(_ context.Context, c call) ([]string, error) {
	d, err := duration(c.args[0].text)
	if err != nil || d <= 0 {
		return nil, fmt.Errorf("%q is no time to let pass", c.args[0].text)
	}
	s.net.Pass(d)
	return nil, nil
}

func (s *stage) partition(_ context.Context, c call) ([]string, error) {
	sides, err := s.sides(c.args)
	if err != nil {
		return nil, err
	}
	if len(sides) < 2 {
		return nil, errors.New("one side is no partition")
	}
	s.net.Links.Partition(sides...)
	return nil, nil
}

func (s *stage) oneway(_ context.Context, c call) ([]string, error) {
	sides, err := s.sides(c.args)
	if err != nil {
		return nil, err
	}
	if len(sides) != 2 {
		return nil, errors.New("want two sides")
	}
	for _, from := range sides[0] {
		for _, to := range sides[1] {
			s.net.Links.Cut(from, to)
		}
	}
	return nil, nil
}

func (s *stage) mend(context.Context, call) ([]string, error) {
	s.net.Links.Heal()
	return nil, nil
}

// do does something to each of some nodes.
func (s *stage) do(ws []word, f func(i int) error) ([]string, error) {
	ids, err := s.some(ws)
	if err != nil {
		return nil, err
	}
	for _, i := range ids {
		if err := f(i); err != nil {
			return nil, fmt.Errorf("node %d: %w", i, err)
		}
	}
	return nil, nil
}

var errGone = errors.New("it is not running")

func (s *stage) kill(_ context.Context, c call) ([]string, error) {
	ids, err := s.some(c.args)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(ids, func(i int) bool { return s.net.Nodes[i].gone }) {
		return nil, errGone
	}
	s.net.Kill(ids...)
	return nil, nil
}

func (s *stage) stop(_ context.Context, c call) ([]string, error) {
	return s.do(c.args, func(i int) error {
		if s.net.Nodes[i].gone {
			return errGone
		}
		s.net.Stop(i)
		return nil
	})
}

func (s *stage) restart(_ context.Context, c call) ([]string, error) {
	out, err := s.do(c.args, func(i int) error {
		if !s.net.Nodes[i].gone {
			return errors.New("it is running")
		}
		s.net.Restart(i)
		return nil
	})
	if err == nil {
		s.net.WaitReady()
	}
	return out, err
}

func (s *stage) join(_ context.Context, c call) ([]string, error) {
	n, err := strconv.Atoi(c.args[0].text)
	if err != nil || n < 1 || n > maxNodes {
		return nil, fmt.Errorf("%q is no number of nodes", c.args[0].text)
	}
	for range n {
		s.net.Start()
	}
	s.net.WaitReady()
	return nil, nil
}

func (s *stage) pause(_ context.Context, c call) ([]string, error) {
	return s.do(c.args, func(i int) error { s.net.Links.Pause(i); return nil })
}

func (s *stage) resume(_ context.Context, c call) ([]string, error) {
	return s.do(c.args, func(i int) error { s.net.Links.Resume(i); return nil })
}

func (s *stage) slow(_ context.Context, c call) ([]string, error) {
	rate, err := strconv.Atoi(c.options["rate"])
	if err != nil || rate < 1 {
		return nil, fmt.Errorf("rate=%q: want bytes a second", c.options["rate"])
	}
	return s.do(c.args, func(i int) error { s.net.Links.Slow(i, rate); return nil })
}

func (s *stage) clock(_ context.Context, c call) ([]string, error) {
	last := len(c.args) - 1
	offset, err := duration(c.args[last].text)
	if err != nil {
		return nil, err
	}
	return s.do(c.args[:last], func(i int) error { s.net.Nodes[i].Clock.Set(offset); return nil })
}

// errDisk is what a broken disk says.
var errDisk = errors.New("input/output error")

func (s *stage) disk(_ context.Context, c call) ([]string, error) {
	last := len(c.args) - 1
	state := c.args[last].text
	return s.do(c.args[:last], func(i int) error {
		d := s.net.Nodes[i].Disk
		switch state {
		case "full":
			d.Free(0)
		case "unwritable":
			d.Break(nil, errDisk)
		case "unreadable":
			d.Break(errDisk, nil)
		case "well":
			d.Free(math.MaxInt64)
			d.Break(nil, nil)
		default:
			return fmt.Errorf("no state of a disk: %q", state)
		}
		return nil
	})
}

func (s *stage) play(_ context.Context, c call) ([]string, error) {
	last := len(c.args) - 1
	part := c.args[last].text
	return s.do(c.args[:last], func(i int) error {
		x := s.net.Nodes[i]
		switch part {
		case "silent":
			x.Play(Silent(x))
		case "forgetful":
			x.Play(Forgetful())
		case "empty":
			x.Play(Adversary{Lie: Empty()})
		case "honest":
			x.Play(Adversary{})
		default:
			return fmt.Errorf("no part: %q", part)
		}
		return nil
	})
}

// audit compares every running member of every place with all that any of them holds
// and all that was acknowledged.
func (s *stage) audit(context.Context, call) ([]string, error) {
	known := slices.Clone(s.stored)
	for _, x := range s.net.Running() {
		for e, err := range x.store.All() {
			if err != nil {
				return nil, fmt.Errorf("node %d: %w", x.Index, err)
			}
			r, err := x.store.Record(e.Key)
			if err != nil {
				return nil, fmt.Errorf("node %d: %w", x.Index, err)
			}
			known = append(known, r)
		}
	}
	slices.SortFunc(known, func(a, b *records.Record) int { return strings.Compare(a.ID().String(), b.ID().String()) })
	known = slices.CompactFunc(known, func(a, b *records.Record) bool { return a.ID() == b.ID() })
	lost := 0
	for _, r := range s.stored {
		if !slices.ContainsFunc(s.net.Running(), func(x *Node) bool {
			held, err := x.store.Record(r.ItemKey())
			return err == nil && (held.ID() == r.ID() || held.Wins(r))
		}) {
			lost++
		}
	}
	differences := s.net.Audit(known)
	slices.Sort(differences)
	if lost > 0 {
		differences = append(differences, fmt.Sprintf("%d stored records are lost", lost))
	}
	if len(differences) == 0 {
		return []string{"nothing is lost, and every member of every place holds the same"}, nil
	}
	return differences, nil
}

package datastore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/starling-social/starling/records"
)

// Displaced lists the records that are on their way down, each with the place
// that keeps it until then. It belongs to that place's ChildFor; whoever has put
// it to the members there says so with [Store.Carried].
func (s *Store) Displaced() iter.Seq2[records.Put, error] {
	return func(yield func(records.Put, error) bool) {
		for p, err := range s.pages(under([]byte{sectionDisplaced})) {
			var put records.Put
			if err == nil {
				put, err = s.displacedPut(p.key)
			}
			if errors.Is(err, ErrNotFound) {
				continue // carried meanwhile
			}
			if err != nil {
				err = fmt.Errorf("list displaced records: %w", err)
			}
			if !yield(put, err) {
				return
			}
		}
	}
}

func (s *Store) displacedPut(key []byte) (records.Put, error) {
	at, pos, err := parseEntryKey(key)
	if err != nil {
		return records.Put{}, err
	}
	h, err := s.headAt(at)
	if err != nil {
		return records.Put{}, err
	}
	r, err := s.Record(pos.Key)
	return records.Put{Place: h.place, Record: r}, err
}

func (s *Store) headAt(at records.Coordinate) (h head, err error) {
	err = s.read(func(v snapshot) error {
		value, err := v.get(headKey(at))
		if err == nil {
			h, err = parseHead(value)
		}
		return err
	})
	if errors.Is(err, errNoKey) {
		err = ErrNotFound
	}
	return h, err
}

// Carried says that these, as [Store.Displaced] listed them, are where they
// belong. A witness stays as such; what is no witness goes. One that has been
// replaced by a newer version meanwhile stays displaced: that version is not
// below yet.
func (s *Store) Carried(ctx context.Context, puts []records.Put) error {
	type carried struct {
		at  records.Coordinate
		pos records.Position
		id  records.ID
	}
	list := make([]carried, len(puts))
	for i, p := range puts {
		list[i] = carried{p.Place.Coordinate(), p.Place.Position(p.Record), p.Record.ID()}
	}
	err := s.do(ctx, func(g *group) error {
		for _, c := range list {
			if err := g.carried(c.at, c.pos, c.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark as carried down: %w", err)
	}
	return nil
}

func (g *group) carried(at records.Coordinate, pos records.Position, id records.ID) error {
	s, err := g.loadedShelf(at)
	if errors.Is(err, errNoKey) {
		return nil
	}
	if err != nil {
		return err
	}
	it, err := g.item(pos.Key)
	if err != nil {
		return err
	}
	e, found := s.entryAt(pos)
	switch {
	case !found || e.role&displaced == 0 || e.id != id:
	case e.role&witness != 0:
		e.role = witness
		s.set(e)
	default:
		s.remove(pos)
		it.leave(at)
	}
	return nil
}

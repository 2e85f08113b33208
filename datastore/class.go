package datastore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/starling-social/starling/records"
)

// Class is on whose behalf something is kept. A place has the highest class with
// which anything was put to it, and a record the highest of the places where it
// stands, or Own if the owner signed it. What has a higher class is kept longer.
type Class uint8

// The classes, from the lowest.
const (
	Cached   Class = iota // a copy that spares others a way; removed first
	Followed              // a copy for the owner; removed when nothing else helps
	Held                  // what the node is responsible for; never removed to make room
	Own                   // what the owner signed; neither removed nor refused while the disk has room
	Classes  = 4
)

var classNames = [Classes]string{Cached: "cached", Followed: "followed", Held: "held", Own: "own"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// A count on disk has the class in its two highest bits. Held is 0, so that what
// was written before there were classes is held.
const (
	classShift = 14
	maxCount   = 1<<classShift - 1
)

func countWithClass(n int, c Class) uint16 { return uint16(n) | uint16(c^Held)<<classShift }

func parseCountWithClass(v uint16) (n int, c Class) {
	return int(v & maxCount), Class(v>>classShift) ^ Held
}

// Reclass makes a class that of places, higher or lower than it was: what the node
// is no longer responsible for but follows, or the other way round. Places of which
// nothing is here are left alone. It returns when that is on disk.
func (s *Store) Reclass(ctx context.Context, c Class, places []records.Place) error {
	if c >= Classes {
		return fmt.Errorf("reclass %d places: %s is none", len(places), c)
	}
	for chunk := range slices.Chunk(places, 4) { // each costs up to what a hundred puts do
		err := s.do(ctx, func(g *group) error {
			for _, p := range chunk {
				if err := g.reclassAt(p.Coordinate(), c); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reclass %d places: %w", len(places), err)
		}
	}
	return nil
}

func (g *group) reclassAt(at records.Coordinate, c Class) error {
	s, err := g.shelf(at, nil)
	if errors.Is(err, errNoKey) {
		return nil
	}
	if err != nil {
		return err
	}
	return g.reclass(s, c)
}

// raise makes the class of a place at least c. A place in which nothing is gets it
// with what is put there first.
func (g *group) raise(s *shelf, c Class) error {
	switch {
	case !s.stored && len(s.changes) == 0:
		s.class, s.filed = c, c
		return nil
	case c <= s.class:
		return nil
	default:
		return g.reclass(s, c)
	}
}

// reclass changes the class of a place, and with it that of its records.
func (g *group) reclass(s *shelf, c Class) error {
	if s.class == c {
		return nil
	}
	if err := s.load(g.view); err != nil {
		return err
	}
	var items []*item
	for _, e := range slices.Clone(s.entries) {
		it, err := g.item(e.pos.Key)
		if err != nil {
			return err
		}
		items = append(items, it)
	}
	for _, it := range items {
		it.dirty = it.dirty || it.held() != nil
	}
	s.class = c
	return nil
}

// classOf is the class of a record by the places where it stands. A place that
// cannot be read changes nothing.
func (g *group) classOf(it *item) Class {
	if g.store.isOwn(it.record) {
		return Own
	}
	class := Cached
	for _, at := range it.at {
		s, err := g.shelf(at, nil)
		switch {
		case err == nil:
			class = max(class, s.class)
		case !errors.Is(err, errNoKey):
			class = max(class, it.class)
		}
	}
	return class
}

func (s *Store) isOwn(r *records.Record) bool {
	return s.owner != records.User{} && r.Author() == s.owner
}

// Removable lists the places of a class that can be dropped to make room, or to
// keep no copy any longer: none of those in which something of the owner stands.
// It holds nothing in between.
func (s *Store) Removable(c Class) iter.Seq2[records.Place, error] {
	return func(yield func(records.Place, error) bool) {
		var h head
		var own, begun bool
		for p, err := range s.pages(under([]byte{sectionPlace})) {
			switch {
			case err != nil:
			case len(p.key) == headKeySize:
				if begun && h.class == c && !own && !yield(h.place, nil) {
					return
				}
				h, err = parseHead(p.value)
				begun, own = true, false
			case h.class == c && !own:
				own, err = s.ownEntry(p.key)
			}
			if err != nil {
				yield(records.Place{}, fmt.Errorf("list %s places: %w", c, err))
				return
			}
		}
		if begun && h.class == c && !own {
			yield(h.place, nil)
		}
	}
}

// ownEntry tells whether the record of an entry is the owner's.
func (s *Store) ownEntry(key []byte) (own bool, err error) {
	_, pos, err := parseEntryKey(key)
	if err != nil {
		return false, err
	}
	err = s.read(func(v snapshot) error {
		value, err := v.get(recordKey(pos.Key))
		if errors.Is(err, errNoKey) || errors.Is(err, ErrCorrupt) {
			return nil // to be put aside by who reads it
		}
		if err != nil {
			return err
		}
		st, err := parseStored(value)
		own = err == nil && st.class == Own
		return nil
	})
	return own, err
}

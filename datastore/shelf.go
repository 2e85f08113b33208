package datastore

import (
	"fmt"
	"slices"

	"github.com/starling-social/starling/records"
)

// A shelf is a place as the committer works on it: the head, the entries once
// they are needed, and what has changed since the last batch. Only the committer
// touches it.
//
// Entries ascend by position. The first head.bucket of them are the bucket and
// have no role; all others have one. There are others only when the bucket is
// full. Of the others that share a child, the smallest is its witness.
type shelf struct {
	head
	at       records.Coordinate
	capacity int
	stored   bool    // the head is on disk
	filed    Class   // of the head on disk
	loaded   bool    // entries are those of the place; else only those changed are known
	entries  []entry // when loaded
	changes  map[records.Position]change
}

// A change is what the last batch left at a position, and what is there now.
type change struct{ was, is *entry }

// search is where pos stands, or would stand, among the entries.
func (s *shelf) search(pos records.Position) (i int, found bool) {
	return slices.BinarySearchFunc(s.entries, pos, func(e entry, pos records.Position) int { return e.pos.Compare(pos) })
}

// entryAt is the entry at pos. The shelf must be loaded.
func (s *shelf) entryAt(pos records.Position) (entry, bool) {
	i, found := s.search(pos)
	if !found {
		return entry{}, false
	}
	return s.entries[i], true
}

// set puts e in place of what is at its position, or adds it.
func (s *shelf) set(e entry) {
	was := s.before(e.pos)
	s.change(e.pos, change{was, &e})
	if !s.loaded {
		return
	}
	if i, found := s.search(e.pos); found {
		s.entries[i] = e
	} else {
		s.entries = slices.Insert(s.entries, i, e)
	}
}

// remove takes away the entry at pos. The shelf must be loaded.
func (s *shelf) remove(pos records.Position) {
	s.change(pos, change{s.before(pos), nil})
	if i, found := s.search(pos); found {
		s.entries = slices.Delete(s.entries, i, i+1)
	}
}

// before is what the last batch left at pos. On a shelf that is not loaded only
// new entries are set, so there nothing was.
func (s *shelf) before(pos records.Position) *entry {
	if c, changed := s.changes[pos]; changed {
		return c.was
	}
	if e, found := s.entryAt(pos); found {
		return &e
	}
	return nil
}

func (s *shelf) change(pos records.Position, c change) {
	if s.changes == nil {
		s.changes = map[records.Position]change{}
	}
	s.changes[pos] = c
}

// load reads the entries of a place that the last batch left, and makes the
// changes since then to them.
func (s *shelf) load(v snapshot) error {
	if s.loaded {
		return nil
	}
	entries, err := readEntries(v, entriesOf(s.at))
	if err != nil {
		return fmt.Errorf("read entries of %s: %w", s.place, err)
	}
	s.entries, s.loaded = entries, true
	for pos, c := range s.changes {
		if i, found := s.search(pos); !found && c.is != nil {
			s.entries = slices.Insert(s.entries, i, *c.is)
		}
	}
	return nil
}

func readEntries(v snapshot, s span) ([]entry, error) {
	var entries []entry
	var bad error
	err := v.scan(s, func(key, value []byte) bool {
		var e entry
		if e, bad = readEntry(key, value); bad == nil {
			entries = append(entries, e)
		}
		return bad == nil
	})
	if err == nil {
		err = bad
	}
	return entries, err
}

func readEntry(key, value []byte) (entry, error) {
	_, pos, err := parseEntryKey(key)
	if err != nil {
		return entry{}, err
	}
	return parseEntry(pos, value)
}

// full tells whether what is beyond the bucket's largest belongs below.
func (s *shelf) full() bool { return s.bucket >= s.capacity }

// bound is the largest position of a full bucket; zero where buckets hold nothing.
func (s *shelf) bound() records.Position {
	if !s.full() || s.bucket == 0 {
		return records.Position{}
	}
	return s.entries[s.bucket-1].pos
}

// rest are the entries beyond the bucket.
func (s *shelf) rest() []entry { return s.entries[s.bucket:] }

// witnessOf is the witness of a child.
func (s *shelf) witnessOf(child records.Coordinate) (entry, bool) {
	for _, e := range s.rest() {
		if e.role&witness != 0 && e.child == child {
			return e, true
		}
	}
	return entry{}, false
}

// heir is the smallest entry of a child that has lost its witness.
func (s *shelf) heir(child records.Coordinate) (entry, bool) {
	for _, e := range s.rest() {
		if e.child == child {
			return e, true
		}
	}
	return entry{}, false
}

// clean forgets the changes, which are on disk now.
func (s *shelf) clean() {
	clear(s.changes)
	s.filed = s.class
	s.stored = s.sum.Count > 0 || len(s.entries) > 0
}

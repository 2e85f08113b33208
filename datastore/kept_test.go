package datastore_test

import (
	"errors"
	"os"
	"testing"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// Every record is listed once, with all of its places, what counts there and what
// only waits.
func TestKept(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		rs := newWriter(t, network(t)).posts(300) // more than one stretch
		mergeAll(t, s, putsAt(levelHour, rs...))
		for _, c := range []datastore.Class{datastore.Followed, datastore.Held} {
			if _, err := s.MergeAs(bg, c, putsAt(records.LevelMonth, reversed(rs)...)); err != nil {
				t.Fatal(err)
			}
		}
		counted, waiting := 0, 0
		seen := map[records.ID]bool{}
		for k, err := range s.Kept() {
			if err != nil {
				t.Fatal(err)
			}
			if seen[k.Record.ID()] {
				t.Fatalf("record %s twice", k.Record.ID())
			}
			seen[k.Record.ID()] = true
			for _, at := range k.Stands {
				if records.Fits(k.Record, at.Place) != nil || at.Class != datastore.Held {
					t.Fatalf("record %s stands at %s as %s", k.Record.ID(), at.Place, at.Class)
				}
				if counted++; !at.Counts {
					waiting++
				}
			}
		}
		if stats := s.Stats(); int64(len(seen)) != stats.Records || int64(counted-waiting) != stats.Entries || waiting == 0 {
			t.Fatalf("%d records at %d places, %d of them waiting; the store has %+v", len(seen), counted, waiting, stats)
		}
		for range s.Kept() {
			break // nothing is held by one who stops
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, err := range s.Kept() {
			if !errors.Is(err, datastore.ErrClosed) {
				t.Fatalf("after Close: %v", err)
			}
		}
	})
}

func reversed(rs []*records.Record) []*records.Record {
	out := make([]*records.Record, len(rs))
	for i, r := range rs {
		out[len(rs)-1-i] = r
	}
	return out
}

// A damaged record is said to be, and hides no other.
func TestKept_damaged(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		s := closing(t, openOn(t, unclosed(m), network(t)))
		rs := newWriter(t, network(t)).posts(10)
		mergeAll(t, s, putsAt(levelHour, rs...))
		harm(t, m, rs[4].ItemKey(), damages["a bit of the envelope"])
		whole := 0
		var found error
		for _, err := range s.Kept() {
			if err != nil {
				found = errors.Join(found, err)
			} else {
				whole++
			}
		}
		var corrupt *datastore.CorruptError
		if whole != 9 || !errors.As(found, &corrupt) || corrupt.Key != rs[4].ItemKey() {
			t.Fatalf("%d records, %v; want nine and the one that is damaged", whole, found)
		}
	})
}

// Compaction changes nothing but the room that the files take.
func TestCompact(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		puts := putsAt(records.LevelMonth, newWriter(t, network(t)).posts(200)...)
		mergeAll(t, s, puts)
		before, stats := entries(t, s), s.Stats()
		if err := s.Compact(bg); err != nil {
			t.Fatal(err)
		}
		if after := entries(t, s); len(after) != len(before) || s.Stats() != stats {
			t.Fatalf("%d entries and %+v, had %d and %+v", len(after), s.Stats(), len(before), stats)
		}
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Compact(bg); !errors.Is(err, datastore.ErrClosed) {
			t.Fatalf("after Close: %v", err)
		}
	})
}

// What was dropped takes room on disk until the store is compacted.
func TestCompact_shrinks(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir, network(t))
	puts := putsAt(levelHour, newWriter(t, network(t)).posts(1000)...)
	mergeAll(t, s, puts)
	if err := s.Compact(bg); err != nil {
		t.Fatal(err)
	}
	var places []records.Place
	for _, p := range puts {
		places = append(places, p.Place)
	}
	if err := s.Drop(bg, places); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := sizeOf(t, dir)
	s = openDir(t, dir, network(t))
	if err := s.Compact(bg); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := sizeOf(t, dir); after > before/4 {
		t.Fatalf("%d bytes of files with nothing in them, %d before", after, before)
	}
}

func sizeOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

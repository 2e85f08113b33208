package datastore_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// scrub reads all that is in a store, from somewhere on to the end and then all of it.
func scrub(t *testing.T, s *datastore.Store, n int) {
	t.Helper()
	for _, at := range []records.Coordinate{{128}, {}} {
		for more := true; more; {
			var err error
			if at, more, err = s.Scrub(bg, at, n); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Damage that nobody has asked for is found, whatever became of the record and however
// few are read at a time, though it was read before and is kept decoded; the
// others stay; and what was put aside is merged again.
func TestScrub_findsTheUnread(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, m datastore.KV) {
				s := closing(t, openOn(t, unclosed(m), network(t)))
				rs := newWriter(t, network(t)).posts(10)
				puts := putsAt(levelHour, rs...)
				mergeAll(t, s, puts)
				for _, p := range puts[:2] {
					if _, err := s.Bucket(records.Query{Place: p.Place, Before: records.Newest, Limit: 64}); err != nil {
						t.Fatal(err)
					}
				}
				harm(t, m, rs[4].ItemKey(), damage)
				if got := s.Stats().Damaged; got != 0 {
					t.Fatalf("%d damaged records before anything was read", got)
				}
				scrub(t, s, 4)
				select {
				case h := <-s.Harmed():
					if h.Everything || !slices.Contains(h.Places, puts[8].Place) && !slices.Contains(h.Places, puts[9].Place) {
						t.Errorf("harmed is %+v", h)
					}
				default:
					t.Error("nobody is told")
				}
				for _, r := range rs {
					_, err := s.Record(r.ItemKey())
					if gone := errors.Is(err, datastore.ErrNotFound); gone != (r == rs[4]) {
						t.Errorf("record %s: %v", r.ItemKey(), err)
					}
				}
				remend(t, s, puts[8:10])
			})
		})
	}
}

package datastore_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// all asks for all that is at a place.
func all(p records.Place) records.Query {
	return records.Query{Place: p, Before: records.Newest, Limit: 64}
}

// shown is what is at a place, and no damage.
func shown(t *testing.T, s *datastore.Store, p records.Place) []*records.Record {
	t.Helper()
	b, err := s.Bucket(all(p))
	if err != nil {
		t.Fatal(err)
	}
	return b.Records
}

// What was read a moment ago is not read from disk again, at whichever place; what was
// not, is.
func TestRecent_readOnce(t *testing.T) {
	reads := 0
	s := closing(t, openOn(t, &datastore.Hooked{KV: datastore.NewMemoryKV(), OnGet: func(key []byte) error {
		if len(key) > 0 && key[0] == 'r' {
			reads++
		}
		return nil
	}}, network(t)))
	rs := newWriter(t, network(t)).posts(10)
	puts := putsAt(levelHour, rs...) // each at two places
	mergeAll(t, s, puts)
	reads = 0
	for i, want := range []int{10, 10, 10} {
		if got := shown(t, s, puts[i%2].Place); len(got) != 10 || reads != want {
			t.Fatalf("reading %d: %d records, and %d of them read from disk so far, want %d", i, len(got), reads, want)
		}
	}
	if _, err := s.Record(rs[3].ItemKey()); err != nil || reads != 11 {
		t.Fatalf("by its key: %v, %d read, want it read from disk", err, reads)
	}
}

// What is shown is what stands there, whatever was read before.
func TestRecent_followsWrites(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		s := closing(t, openOn(t, unclosed(m), network(t)))
		w := newWriter(t, network(t))
		rs := w.posts(10)
		puts := putsAt(levelHour, rs...)
		here, there := puts[0].Place, puts[1].Place
		mergeAll(t, s, puts)
		want := func(what string, rs []*records.Record) {
			t.Helper()
			slices.SortFunc(rs, func(r, o *records.Record) int { return here.Position(o).Compare(here.Position(r)) })
			for range 2 {
				for _, p := range []records.Place{here, there} {
					if got := shown(t, s, p); !slices.Equal(ids(got), ids(rs)) {
						t.Fatalf("%s: %s shows %v, want %v", what, p, ids(got), ids(rs))
					}
				}
			}
		}
		want("written", slices.Clone(rs))
		edited := slices.Clone(rs)
		edited[4] = w.edit(author(1), rs[4], "edited")
		mergeAll(t, s, putsAt(levelHour, edited[4])[:1]) // at one place, and so at both
		want("edited", slices.Clone(edited))
		edited[5] = w.remove(author(1), rs[5])
		mergeAll(t, s, putsAt(levelHour, edited[5]))
		want("deleted", slices.Clone(edited))
		if err := s.Drop(bg, []records.Place{here}); err != nil {
			t.Fatal(err)
		}
		if got := shown(t, s, here); len(got) != 0 {
			t.Fatalf("dropped: shows %v", ids(got))
		}
		if got := shown(t, s, there); len(got) != 10 {
			t.Fatalf("beside what was dropped: shows %v", ids(got))
		}
	})
}

// Damage that comes after a record was read is never shown: what is at hand is what was
// verified, and once the damage is met, nothing of it is left.
func TestRecent_damagedMeanwhile(t *testing.T) {
	m := datastore.NewMemoryKV()
	s := closing(t, openOn(t, m, network(t)))
	rs := newWriter(t, network(t)).posts(10)
	puts := putsAt(levelHour, rs...)
	mergeAll(t, s, puts)
	shown(t, s, puts[0].Place)
	harm(t, m, rs[4].ItemKey(), damages["a bit of the envelope"])
	for _, r := range shown(t, s, puts[0].Place) {
		i := slices.IndexFunc(rs, func(o *records.Record) bool { return o.ID() == r.ID() })
		if i < 0 || !bytes.Equal(r.Bytes(), rs[i].Bytes()) {
			t.Fatalf("shows %s, which nobody wrote", r.ID())
		}
	}
	if _, err := s.Record(rs[4].ItemKey()); !errors.Is(err, datastore.ErrCorrupt) {
		t.Fatalf("the damaged record: %v", err)
	}
	for _, p := range puts[:2] {
		if got := shown(t, s, p.Place); len(got) != 9 {
			t.Fatalf("%s shows %d, want the other nine", p.Place, len(got))
		}
	}
	remend(t, s, puts[8:10])
}

// A record of which any byte was flipped on disk is refused by whoever reads it next.
func TestRecent_everyByte(t *testing.T) {
	m := datastore.NewMemoryKV()
	s := closing(t, openOn(t, m, network(t)))
	r := newWriter(t, network(t)).posts(1)[0]
	puts := putsAt(levelHour, r)
	const bare = 2 + 2*32 // class, number and places, of which the record itself knows nothing
	for at := range 32 + len(r.Bytes()) {
		mergeAll(t, s, puts)
		harm(t, m, r.ItemKey(), func(v []byte) []byte { v[bare+at] ^= 1 << (at % 8); return v })
		s.Forget()
		b, err := s.Bucket(all(puts[0].Place))
		if !errors.Is(err, datastore.ErrCorrupt) || len(b.Records) != 0 {
			t.Fatalf("byte %d: shows %d records, %v", at, len(b.Records), err)
		}
	}
}

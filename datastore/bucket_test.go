package datastore_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

func TestBucket_empty(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		r := newWriter(t, network(t)).post(author(1), epoch, "a")
		for level, full := range map[int]bool{records.LevelRoot: true, records.LevelMonth: false} {
			p := records.UserPlace(r.Author()).At(level, r)
			want := records.NewState(network(t), p).Bucket(records.Query{Place: p, Before: records.Newest, Limit: 5})
			got, err := s.Bucket(records.Query{Place: p, Before: records.Newest, Limit: 5})
			if err != nil || bucket(got) != bucket(want) || got.Full != full {
				t.Errorf("got %s, %v; want %s", bucket(got), err, bucket(want))
			}
		}
	})
}

// Going on from the last record of each page visits every record once, newest first.
func TestBucket_pages(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		rs := newWriter(t, network(t)).posts(60)
		puts := putsAt(levelHour, rs...)
		mergeAll(t, s, puts)
		slices.Reverse(rs)
		for _, limit := range []int{1, 7, 59, 60, 100} {
			q := records.Query{Place: puts[0].Place, Before: records.Newest, Limit: limit}
			var got []*records.Record
			for {
				b, err := s.Bucket(q)
				if err != nil || len(b.Records) > limit || b.Count != 60 || b.Full {
					t.Fatalf("limit %d: %s, %v", limit, bucket(b), err)
				}
				got = append(got, b.Records...)
				if !b.More {
					break
				}
				q.Before = q.Place.Position(b.Records[len(b.Records)-1])
			}
			if !slices.Equal(ids(got), ids(rs)) {
				t.Fatalf("limit %d: %v, want %v", limit, ids(got), ids(rs))
			}
		}
	})
}

// A query for the fingerprint alone reads no record of the bucket, not even a
// damaged one.
func TestBucket_fingerprintAlone(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		s := closing(t, openOn(t, unclosed(m), network(t)))
		rs := newWriter(t, network(t)).posts(3)
		puts := putsAt(levelHour, rs...)
		mergeAll(t, s, puts)
		write(t, m, func(b *datastore.Batch) { b.Set(datastore.RecordKey(rs[1].ItemKey()), nil) })
		got, err := s.Bucket(records.Query{Place: puts[0].Place, Before: records.Newest, Limit: 3, Print: true})
		if err != nil || got.Fingerprint.Count != 3 || got.Count != 3 || got.More || len(got.Records) != 0 {
			t.Fatalf("got %s, %v", bucket(got), err)
		}
	})
}

// However many are on their way down, an answer has so many of them, the smallest.
func TestBucket_manyOnTheWay(t *testing.T) {
	n := smallNetwork(t)
	s := closing(t, datastore.OpenMemory(n))
	w := newWriter(t, n)
	place := records.TagPlace("tag")
	var rs []*records.Record
	for i := range datastore.MaxOnTheWay + 40 {
		// Ever earlier, in one hour: each displaces one that was there.
		r := w.post(author(1), epoch+3_000_000-records.Millis(i)*1000, fmt.Sprint(i), "tag")
		rs = append(rs, r)
		mergeAll(t, s, []records.Put{{Place: place.At(levelHour-1, r), Record: r}})
	}
	b, err := s.Bucket(records.Query{Place: place.At(levelHour-1, rs[0]), Before: records.Newest, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if got := int(s.Stats().Displaced); got != len(rs)-3 {
		t.Fatalf("%d displaced, want %d", got, len(rs)-3)
	}
	// One of those displaced is the witness.
	slices.Reverse(rs)
	want := rs[3 : 3+1+datastore.MaxOnTheWay]
	slices.Reverse(want)
	if !slices.Equal(ids(b.Witnesses), ids(want)) {
		t.Fatalf("got %d witnesses:\n%v\nwant %d:\n%v", len(b.Witnesses), ids(b.Witnesses), len(want), ids(want))
	}
}

// Fingerprints of every prefix are those of the entries under it.
func TestFingerprint_anyPrefix(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		rs := newWriter(t, network(t)).posts(40)
		for level := range 12 {
			mergeAll(t, s, putsAt(level, rs...))
		}
		all := entries(t, s)
		var at []records.Coordinate
		for e := range all {
			at = append(at, e.Coordinate)
		}
		slices.SortFunc(at, func(a, b records.Coordinate) int { return slices.Compare(a[:], b[:]) })
		rapid.Check(t, func(t *rapid.T) {
			prefix := at[rapid.IntRange(0, len(at)-1).Draw(t, "coordinate")]
			bits := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, 256)).Draw(t, "bits")
			if rapid.Bool().Draw(t, "elsewhere") {
				prefix[rapid.IntRange(0, 3).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			}
			var want records.Fingerprint
			for e := range all {
				if sharesBits(e.Coordinate, prefix, bits) {
					want = want.Plus(records.Element(e.Coordinate, e.Key, e.ID))
				}
			}
			if got, err := s.Fingerprint(prefix, bits); err != nil || got != want {
				t.Fatalf("%d bits of %s: counts %d, %v; want %d", bits, prefix, got.Count, err, want.Count)
			}
		})
		for _, bits := range []int{-1, 257} {
			if _, err := s.Fingerprint(at[0], bits); err == nil {
				t.Errorf("%d bits: no error", bits)
			}
		}
	})
}

func sharesBits(a, b records.Coordinate, bits int) bool {
	for i := range bits {
		if (a[i/8]^b[i/8])>>(7-i%8)&1 != 0 {
			return false
		}
	}
	return true
}

// A range has the entries from its first coordinate to its last, in order, each
// with the place and version that stand there.
func TestEntries_ranges(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		rs := newWriter(t, network(t)).posts(300) // more than one stretch
		mergeAll(t, s, putsAt(levelHour, rs...))
		mergeAll(t, s, putsAt(records.LevelMonth, rs...))
		var all []datastore.Entry
		for e, err := range s.All() {
			if err != nil {
				t.Fatal(err)
			}
			if e.Place.Coordinate() != e.Coordinate {
				t.Fatalf("%s is not at %s", e.Place, e.Coordinate)
			}
			if r, err := s.Record(e.Key); err != nil || r.ID() != e.ID || records.Fits(r, e.Place) != nil {
				t.Fatalf("entry of %s in %s: %v, %v", e.Key, e.Place, r, err)
			}
			all = append(all, e)
		}
		if int64(len(all)) != s.Stats().Entries || !slices.IsSortedFunc(all, func(a, b datastore.Entry) int { return slices.Compare(a.Coordinate[:], b.Coordinate[:]) }) {
			t.Fatalf("%d entries of %d, or not in order", len(all), s.Stats().Entries)
		}
		from, to := all[len(all)/3].Coordinate, all[len(all)/2].Coordinate
		want := slices.DeleteFunc(slices.Clone(all), func(e datastore.Entry) bool {
			return slices.Compare(e.Coordinate[:], from[:]) < 0 || slices.Compare(e.Coordinate[:], to[:]) > 0
		})
		var got []datastore.Entry
		for e, err := range s.Entries(from, to) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d entries, want %d", len(got), len(want))
		}
		for range s.Entries(from, to) {
			break // nothing is held by one who stops
		}
	})
}

// Whoever goes through a list may change the store, and close it.
func TestEntries_closedMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		mergeAll(t, s, putsAt(levelHour, newWriter(t, network(t)).posts(300)...))
		n := 0
		var last error
		for _, err := range s.All() {
			if n++; n == 1 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			last = err
		}
		if last == nil {
			t.Fatalf("%d entries without an error", n)
		}
	})
}

// An edit replaces the post everywhere, a deletion too, and no older version
// comes back.
func TestMerge_editsEverywhere(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		w := newWriter(t, network(t))
		first := w.post(author(1), epoch, "first", "a", "b")
		second := w.edit(author(1), first, "second")
		gone := w.remove(author(1), second)
		mergeAll(t, s, putsAt(records.LevelMonth, first))
		user := records.Put{Place: records.UserPlace(first.Author()).At(records.LevelMonth, first), Record: gone}
		for _, r := range []*records.Record{gone, second, first} {
			user.Record = r
			mergeAll(t, s, []records.Put{user})
			for _, p := range putsAt(records.LevelMonth, first) {
				b, err := s.Bucket(records.Query{Place: p.Place, Before: records.Newest, Limit: 9})
				if err != nil || len(b.Records) != 1 || b.Records[0].ID() != gone.ID() || b.Fingerprint != records.Element(p.Place.Coordinate(), gone.ItemKey(), gone.ID()) {
					t.Fatalf("%s: %s, %v", p.Place, bucket(b), err)
				}
			}
		}
		if got := s.Stats().Records; got != 1 {
			t.Fatalf("%d records", got)
		}
	})
}

// A displaced record that was edited is not carried until the edit is.
func TestCarried_editedMeanwhile(t *testing.T) {
	n := smallNetwork(t)
	s := closing(t, datastore.OpenMemory(n))
	w := newWriter(t, n)
	var rs []*records.Record
	for i := range 5 {
		rs = append(rs, w.post(author(1), epoch+3_000_000-records.Millis(i)*1000, fmt.Sprint(i)))
	}
	mergeAll(t, s, putsAt(levelHour-1, rs...))
	before := displacedIn(t, s)
	if len(before) != 2 {
		t.Fatalf("%d displaced, want 2", len(before))
	}
	mergeAll(t, s, putsAt(levelHour-1, w.edit(author(1), rs[0], "edited")))
	if err := s.Carried(bg, before); err != nil {
		t.Fatal(err)
	}
	after := displacedIn(t, s)
	if len(after) != 1 || after[0].Record.ItemKey() != rs[0].ItemKey() {
		t.Fatalf("%d displaced, want the edited one", len(after))
	}
	for range 2 {
		if err := s.Carried(bg, after); err != nil {
			t.Fatal(err)
		}
	}
	if left := displacedIn(t, s); len(left) != 0 || s.Stats().Records != 4 {
		t.Fatalf("%d displaced, %+v; want none and 4 records: bucket and witness", len(left), s.Stats())
	}
	if err := datastore.Audit(s); err != nil {
		t.Fatal(err)
	}
}

func displacedIn(t *testing.T, s *datastore.Store) []records.Put {
	t.Helper()
	var list []records.Put
	for p, err := range s.Displaced() {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// unclosed is a map that a store does not close: the test that made it does.
func unclosed(m datastore.KV) datastore.KV {
	return &datastore.Hooked{KV: m, OnClose: func() error { return nil }}
}

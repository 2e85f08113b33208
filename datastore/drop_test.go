package datastore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// drop makes a place one to which nothing was ever put.
func (m *model) drop(p records.Place) {
	m.states[p] = records.NewState(m.network, p)
	m.waiting[p] = map[records.ItemKey]bool{}
	for key, at := range m.standing {
		delete(at, p)
		m.forget(key)
	}
}

// dropSome drops a few places, of which one may stand twice and one never was.
func dropSome(t *rapid.T, s *datastore.Store, m *model) {
	known := append(m.places(), records.TagPlace("never used"))
	places := rapid.SliceOfN(rapid.SampledFrom(known), 0, 8).Draw(t, "dropped")
	if err := s.Drop(t.Context(), places); err != nil {
		t.Fatal(err)
	}
	for _, p := range places {
		if m.states[p] != nil {
			m.drop(p)
		}
	}
}

// crowd puts many records to places that they overflow, so that most of them are
// on their way down, and the same records to others.
func crowd(t testing.TB, s *datastore.Store, n int) (crowded, others []records.Place, rs []*records.Record) {
	t.Helper()
	w := newWriter(t, s.Network())
	var puts []records.Put
	for i := range n {
		// Ever earlier, in one hour: each displaces one that was there.
		r := w.post(author(1), epoch+3_500_000-records.Millis(i)*1000, fmt.Sprint(i), "tag")
		rs = append(rs, r)
		puts = append(puts, putsAt(levelHour-1, r)...)
		if i%2 == 0 {
			puts = append(puts, records.Put{Place: records.TagPlace("tag").At(levelHour+6, r), Record: r})
		}
	}
	mergeAll(t, s, puts)
	for _, p := range puts {
		list := &crowded
		if p.Place.Level() > levelHour {
			list = &others
		}
		if !slices.Contains(*list, p.Place) {
			*list = append(*list, p.Place)
		}
	}
	return crowded, others, rs
}

// What is dropped is gone with all that hung on it, and a place that is dropped
// can be used again; what stands elsewhere stays there.
func TestDrop_leavesTheRest(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		empty := pairsOf(t, m)
		s := closing(t, openOn(t, unclosed(m), smallNetwork(t)))
		made := pairsOf(t, m)
		crowded, others, rs := crowd(t, s, 300)
		if s.Stats().Displaced < 500 {
			t.Fatalf("%d displaced, want most of 300 in 2 places", s.Stats().Displaced)
		}
		if err := s.Drop(t.Context(), crowded); err != nil {
			t.Fatal(err)
		}
		if got := s.Stats(); got.Displaced != 0 || int(got.Places) != len(others) || int(got.Records) != len(rs)/2 {
			t.Fatalf("left: %+v", got)
		}
		for _, p := range crowded {
			b, err := s.Bucket(records.Query{Place: p, Before: records.Newest, Limit: 10})
			if err != nil || b.Count != 0 || len(b.Witnesses) != 0 || b.Fingerprint != (records.Fingerprint{}) {
				t.Fatalf("dropped: %s, %v", bucket(b), err)
			}
		}
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
		if out, err := s.Merge(bg, putsAt(levelHour-1, rs[7])); err != nil || out[0].Status != records.Stored {
			t.Fatalf("used again: %v, %v", out, err)
		}
		if err := s.Drop(t.Context(), append(crowded, others...)); err != nil {
			t.Fatal(err)
		}
		if got := pairsOf(t, m); len(empty) != 0 || len(got) != len(made) || s.Stats() != (datastore.Stats{}) {
			t.Fatalf("%d keys are left of a store that began with %d; %+v", len(got), len(made), s.Stats())
		}
	})
}

// Whenever a crash comes between two batches, the store is whole, and each place
// is what it was without its largest entries.
func TestDrop_crash(t *testing.T) {
	n := smallNetwork(t)
	disk := datastore.NewMemoryKV()
	s := closing(t, openOn(t, unclosed(disk), n))
	crowded, others, _ := crowd(t, s, 700)
	batches := 0
	watched := &datastore.Hooked{KV: disk, OnApply: func(apply func() (func() error, error)) (func() error, error) {
		durable, err := apply()
		batches++
		after := copyOf(t, disk)
		if failed := auditCopy(after, n); failed != nil {
			t.Errorf("after batch %d: %v", batches, failed)
		}
		return durable, err
	}}
	again := closing(t, openOn(t, watched, n))
	if err := again.Drop(t.Context(), append(crowded, others...)); err != nil {
		t.Fatal(err)
	}
	if batches < 5 || again.Stats() != (datastore.Stats{}) {
		t.Fatalf("%d batches for some 2,000 entries leave %+v", batches, again.Stats())
	}
}

// What cannot be read is no reason to keep it; and nobody is told to mend what
// was dropped.
func TestDrop_damaged(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, m datastore.KV) {
				s := openOn(t, unclosed(m), network(t))
				rs := newWriter(t, network(t)).posts(10)
				puts := putsAt(levelHour, rs...)
				mergeAll(t, s, puts)
				harm(t, m, rs[4].ItemKey(), damages["a bit of the envelope"])
				if _, err := s.Record(rs[4].ItemKey()); !errors.Is(err, datastore.ErrCorrupt) {
					t.Fatal(err)
				}
				harm(t, m, rs[5].ItemKey(), damage)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = closing(t, openOn(t, unclosed(m), network(t)))
				if err := s.Drop(t.Context(), []records.Place{puts[0].Place}); err != nil {
					t.Fatal(err)
				}
				for d, err := range s.Damaged() {
					if err != nil || slices.Contains(d.Places, puts[0].Place) {
						t.Fatalf("damaged in %v, %v", d.Places, err)
					}
				}
				// The other place of all of them.
				if _, err := s.Bucket(records.Query{Place: puts[1].Place, Before: records.Newest, Limit: 64}); err != nil && !errors.Is(err, datastore.ErrCorrupt) {
					t.Fatal(err)
				}
				if err := datastore.AuditIndexes(s); err != nil {
					t.Fatal(err)
				}
				if err := s.Drop(t.Context(), []records.Place{puts[1].Place}); err != nil {
					t.Fatal(err)
				}
				if got := s.Stats(); got.Places != 0 || got.Entries != 0 {
					t.Fatalf("left: %+v", got)
				}
			})
		})
	}
}

// Of a drop that its caller gives up, or that the disk refuses, what is left is whole.
func TestDrop_fails(t *testing.T) {
	n := smallNetwork(t)
	m := datastore.NewMemoryKV()
	var f fault
	f.when = "apply"
	s := closing(t, openOn(t, unclosed(f.in(m)), n))
	crowded, _, _ := crowd(t, s, 50)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drop(ctx, crowded); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	f.on.Store(true)
	if err := s.Drop(t.Context(), crowded); !errors.Is(err, errDisk) {
		t.Fatalf("got %v", err)
	}
	if err := auditCopy(copyOf(t, m), n); err != nil {
		t.Fatal(err)
	}
}

// pairsOf is all that a map holds.
func pairsOf(t fataler, m datastore.KV) (pairs [][2][]byte) {
	t.Helper()
	v := snapshot(t, m)
	defer datastore.CloseSnapshot(v)
	err := datastore.Scan(v, datastore.NewSpan([]byte{0}, []byte{0xff}, false), func(k, v []byte) bool {
		pairs = append(pairs, [2][]byte{bytes.Clone(k), bytes.Clone(v)})
		return true
	})
	if err != nil {
		t.Fatalf("read all: %v", err)
	}
	return pairs
}

// copyOf is a map as a crash would leave it now.
func copyOf(t fataler, m datastore.KV) datastore.KV {
	t.Helper()
	c := datastore.NewMemoryKV()
	var b datastore.Batch
	for _, p := range pairsOf(t, m) {
		b.Set(p[0], p[1])
	}
	apply(t, c, &b)
	return c
}

func auditCopy(m datastore.KV, n records.Network) error {
	s, err := datastore.OpenOn(m, n)
	if err != nil {
		return err
	}
	return errors.Join(datastore.Audit(s), s.Close())
}

package datastore_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// A caller whose context ends does not wait for the disk.
func TestMerge_contextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, release := datastore.NewMemoryKV(), make(chan struct{})
		if err := openOn(t, m, network(t)).Close(); err != nil { // made, so that opening it writes nothing
			t.Fatal(err)
		}
		s := openOn(t, slow(m, release), network(t))
		puts := putsAt(records.LevelMonth, newWriter(t, network(t)).posts(2)...)
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := s.Merge(bg, puts[:1]); first <- err }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(bg)
		go func() { _, err := s.Merge(ctx, puts[1:2]); second <- err }()
		synctest.Wait()
		cancel()
		if err := <-second; !errors.Is(err, context.Canceled) {
			t.Errorf("second caller: %v", err)
		}
		close(release)
		if err := <-first; err != nil {
			t.Errorf("first caller: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A call whose context is over already is carried out or not, but not by half.
func TestMerge_contextAlreadyOver(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		ctx, cancel := context.WithCancel(bg)
		cancel()
		puts := putsAt(records.LevelMonth, newWriter(t, network(t)).posts(1)...)
		for range 20 {
			if _, err := s.Merge(ctx, puts); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
	})
}

// After a failed write or sync the caller is told, and no write is taken again.
func TestMerge_failingDisk(t *testing.T) {
	for _, when := range []string{"apply", "sync"} {
		t.Run(when, func(t *testing.T) {
			broken := fault{when: when}
			s := openOn(t, broken.in(datastore.NewMemoryKV()), network(t))
			defer s.Close()
			puts := putsAt(records.LevelMonth, newWriter(t, network(t)).posts(3)...)
			mergeAll(t, s, puts[:1])
			broken.on.Store(true)
			for range 2 {
				if _, err := s.Merge(bg, puts[1:]); !errors.Is(err, errDisk) {
					t.Fatalf("got %v, want the disk's error", err)
				}
			}
			if _, err := s.Record(puts[0].Record.ItemKey()); err != nil {
				t.Fatalf("reading: %v", err)
			}
		})
	}
}

// Several callers at once end in one state, and each gets his own answer.
func TestMerge_together(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		puts := putsAt(records.LevelMonth, newWriter(t, network(t)).posts(200)...)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for _, p := range puts {
					out, err := s.Merge(bg, []records.Put{p})
					if err != nil || len(out) != 1 || out[0].Status == 0 {
						t.Errorf("got %v, %v", out, err)
						return
					}
				}
			})
		}
		wg.Wait()
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
		if got := s.Stats().Records; got == 0 || got > 200 {
			t.Fatalf("%d records", got)
		}
	})
}

// More puts in one call than go into one batch.
func TestMerge_many(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		puts := putsAt(levelHour, newWriter(t, network(t)).posts(900)...)
		out, err := s.Merge(bg, puts)
		if err != nil || len(out) != len(puts) {
			t.Fatalf("%d outcomes of %d puts, %v", len(out), len(puts), err)
		}
		for i, o := range out {
			if o.Status != records.Stored {
				t.Fatalf("put %d: %s", i, o.Status)
			}
		}
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
		if out, err := s.Merge(bg, nil); len(out) != 0 || err != nil {
			t.Fatalf("nothing: %v, %v", out, err)
		}
	})
}

// A record put where it does not belong stores nothing and disturbs nobody.
func TestMerge_misplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		w := newWriter(t, network(t))
		a, b := w.post(author(1), epoch, "a"), w.post(author(2), epoch, "b")
		puts := putsAt(records.LevelMonth, a, b)
		puts = append(puts, records.Put{Place: puts[0].Place, Record: b}, records.Put{Record: a})
		out, err := s.Merge(bg, puts)
		if len(out) != 4 || out[0].Status != records.Stored || out[1].Status != records.Stored || out[2].Status != 0 || out[3].Status != 0 {
			t.Fatalf("outcomes %v", out)
		}
		var refused *datastore.PutError
		if !errors.As(err, &refused) || !errors.Is(err, records.ErrMisplaced) || refused.Index != 2 || refused.Place != puts[0].Place {
			t.Fatalf("got %v, want a PutError of put 2", err)
		}
		if got := s.Stats(); got.Records != 2 || got.Places != 2 {
			t.Fatalf("stored %+v", got)
		}
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
	})
}

// A held id keeps its first bytes; every byte stored is given back.
func TestRecord_bytes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		rs := newWriter(t, network(t)).posts(20)
		mergeAll(t, s, putsAt(records.LevelMonth, rs...))
		for _, r := range rs {
			got, err := s.Record(r.ItemKey())
			if err != nil || !bytes.Equal(got.Bytes(), r.Bytes()) || got.Digest() != r.Digest() {
				t.Fatalf("got %v, %v", got, err)
			}
		}
		if _, err := s.Record(records.ItemKey{1}); !errors.Is(err, datastore.ErrNotFound) {
			t.Fatalf("absent record: %v", err)
		}
	})
}

package datastore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

var _ reconcile.Set = datastore.Holdings{}

// elementsOf are the elements of a store, in order.
func elementsOf(tb testing.TB, s *datastore.Store) (out []reconcile.Element) {
	tb.Helper()
	for e, err := range s.Entries(records.Coordinate{}, last()) {
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, reconcile.Element{At: e.Coordinate, Key: e.Key, ID: e.ID})
	}
	slices.SortFunc(out, reconcile.Element.Compare)
	return out
}

// last is the greatest coordinate.
func last() (at records.Coordinate) {
	for i := range at {
		at[i] = 0xff
	}
	return at
}

// within is what of some elements lies in a range, with its fingerprint.
func within(elements []reconcile.Element, from, to reconcile.Bound) (out []reconcile.Element, sum records.Fingerprint) {
	for _, e := range elements {
		if !e.Before(from) && e.Before(to) {
			out = append(out, e)
			sum = sum.Plus(e.Fingerprint())
		}
	}
	return out, sum
}

// mustHold checks what a store says of a range.
func mustHold(tb rapid.TB, s *datastore.Store, elements []reconcile.Element, from, to reconcile.Bound) {
	tb.Helper()
	want, sum := within(elements, from, to)
	got, err := s.Holdings().Fingerprint(from, to)
	if err != nil || got != sum {
		tb.Fatalf("fingerprint from %x to %x counts %d, want %d: %v", from, to, got.Count, sum.Count, err)
	}
	for _, limit := range []int{1, 7, 10_000} {
		list, err := s.Holdings().List(from, to, limit)
		if err != nil || !slices.Equal(list, want[:min(limit, len(want))]) {
			tb.Fatalf("list from %x to %x: %d elements, want %d: %v", from, to, len(list), len(want), err)
		}
	}
}

// drawBound is a bound near elements, or anywhere.
func drawBound(t *rapid.T, elements []reconcile.Element, label string) reconcile.Bound {
	if len(elements) == 0 || rapid.IntRange(0, 9).Draw(t, label+" at an end") == 0 {
		return rapid.SampledFrom([]reconcile.Bound{reconcile.Start, reconcile.End, "\x80"}).Draw(t, label)
	}
	b := reconcile.BoundOf(rapid.SampledFrom(elements).Draw(t, label+" element"))
	b = b[:min(len(b), rapid.SampledFrom([]int{1, 2, 3, 31, 32, 33, 64, 65, 96}).Draw(t, label+" bytes"))]
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// crowded are puts of posts to a few ladders, full and not.
func crowded(tb testing.TB, w *writer, n int) (puts []records.Put) {
	tb.Helper()
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for range n {
		p := w.post(author(r.IntN(9)), epoch+records.Millis(r.IntN(1_000_000_000)), "text", "tag")
		puts = append(puts, putsAt(r.IntN(6), p)...)
	}
	return puts
}

// What a store says of any range is what its entries say, whatever finer sums it
// has made and however it changed since.
func TestHoldings_likeTheEntries(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := datastore.OpenMemory(smallNetwork(t))
		defer s.Close()
		s.FineSums(rapid.SampledFrom([]uint64{0, 1, 5, 256}).Draw(rt, "fine"))
		w := newWriter(t, s.Network())
		for range 3 {
			if _, err := s.Merge(context.Background(), crowded(t, w, rapid.IntRange(0, 60).Draw(rt, "posts"))); err != nil {
				rt.Fatal(err)
			}
			elements := elementsOf(t, s)
			for range 10 {
				from, to := drawBound(rt, elements, "from"), drawBound(rt, elements, "to")
				mustHold(rt, s, elements, from, to)
			}
		}
	})
}

// Finer sums that are made while others write are right in the end.
func TestHoldings_whileOthersWrite(t *testing.T) {
	s := datastore.OpenMemory(smallNetwork(t))
	defer s.Close()
	s.FineSums(1)
	w := newWriter(t, s.Network())
	puts := crowded(t, w, 400)
	var writers sync.WaitGroup
	for part := range slices.Chunk(puts, len(puts)/4+1) {
		writers.Go(func() {
			for some := range slices.Chunk(part, 5) {
				if _, err := s.Merge(t.Context(), some); err != nil {
					t.Error(err)
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(2, 3))
	for range 300 {
		at := puts[r.IntN(len(puts))].Place.Coordinate()
		from, to := reconcile.Under(at, r.IntN(64))
		if _, err := s.Holdings().Fingerprint(from, to); err != nil {
			t.Fatal(err)
		}
	}
	writers.Wait()
	elements := elementsOf(t, s)
	for _, p := range puts[:100] {
		for _, bits := range []int{0, 3, 15, 16, 17, 30, 64, 256} {
			from, to := reconcile.Under(p.Place.Coordinate(), bits)
			mustHold(t, s, elements, from, to)
			mustHold(t, s, elements, to, reconcile.End)
		}
	}
}

// Two stores with different histories find out how they differ, merge what they
// lack with the places it stands at, and are then the same; deletions win.
func TestHoldings_reconcile(t *testing.T) {
	w := newWriter(t, smallNetwork(t))
	a, b := datastore.OpenMemory(w.network), datastore.OpenMemory(w.network)
	defer a.Close()
	defer b.Close()
	posts := w.posts(200)
	for i, r := range posts {
		for _, s := range []*datastore.Store{a, b} {
			if own := i%20 == 0; own && (i%40 == 0) == (s == a) {
				continue
			}
			if _, err := s.Merge(t.Context(), putsAt(levelHour, r)); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone := w.remove(author(1), posts[1])
	if _, err := b.Merge(t.Context(), putsAt(levelHour, gone)); err != nil {
		t.Fatal(err)
	}
	mustMend(t, a, b)
	mustMend(t, b, a)
	if got, want := elementsOf(t, a), elementsOf(t, b); !slices.Equal(got, want) {
		t.Errorf("%d and %d elements after both were mended", len(got), len(want))
	}
	if r, err := a.Record(gone.ItemKey()); err != nil || !r.Deleted() {
		t.Errorf("the deletion did not win: %v", err)
	}
}

// mustMend merges into s what other has and s lacks.
func mustMend(t *testing.T, s, other *datastore.Store) {
	t.Helper()
	limits := reconcile.Limits{Bytes: 64 << 10, Items: 10_000}
	session := reconcile.NewSession(s.Holdings(), reconcile.Salt{1}, reconcile.Start, reconcile.End, limits)
	var found []reconcile.Difference
	for answer := []byte(nil); !session.Done(); {
		some, message, err := session.Step(answer)
		if err == nil && message != nil {
			answer, err = reconcile.Respond(other.Holdings(), reconcile.Start, reconcile.End, message, limits)
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, some...)
	}
	for _, d := range found {
		if d.Theirs == (records.ID{}) {
			continue
		}
		puts, err := other.Holdings().Standing(d.Key, []records.Coordinate{d.At})
		if err != nil || puts[0].Place.Coordinate() != d.At || puts[0].Record.ID() != d.Theirs {
			t.Fatalf("what they said they have: %v", err)
		}
		if _, err := s.Merge(t.Context(), puts); err != nil {
			t.Fatal(err)
		}
	}
}

// What does not stand at a coordinate, or stands elsewhere, is not found there.
func TestHoldings_standing(t *testing.T) {
	s := datastore.OpenMemory(smallNetwork(t))
	defer s.Close()
	w := newWriter(t, s.Network())
	r := w.post(author(1), epoch, "here")
	puts := putsAt(levelHour, r)
	if _, err := s.Merge(t.Context(), puts); err != nil {
		t.Fatal(err)
	}
	at := puts[0].Place.Coordinate()
	got, err := s.Holdings().Standing(r.ItemKey(), []records.Coordinate{{1}, at, {2}})
	if err != nil || len(got) != 1 || got[0].Place != puts[0].Place || got[0].Record.ID() != r.ID() {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, c := range map[string]struct {
		at  records.Coordinate
		key records.ItemKey
	}{"no such place": {records.Coordinate{1}, r.ItemKey()}, "no such thing": {at, records.ItemKey{1}}} {
		if _, err := s.Holdings().Standing(c.key, []records.Coordinate{c.at}); !errors.Is(err, datastore.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A store that is closed says so.
func TestHoldings_closed(t *testing.T) {
	s := datastore.OpenMemory(smallNetwork(t))
	s.Close()
	if _, err := s.Holdings().Fingerprint(reconcile.Start, reconcile.End); !errors.Is(err, datastore.ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Holdings().List(reconcile.Start, reconcile.End, 1); !errors.Is(err, datastore.ErrClosed) {
		t.Error(err)
	}
}

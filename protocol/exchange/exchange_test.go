package exchange_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// A post at four places travels once, in one frame, and is found at each.
func TestPut_manyPlacesOneFrame(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, store := w.pairUp(t)
		r := post(t, 1, 1, "cats")
		puts := everywhere(r)
		mustPut(t, c, w.id(1), puts...)
		if store.merges != 1 {
			t.Errorf("%d merges for one frame", store.merges)
		}
		if n := w.hosts[0].sent.Load(); n > int64(len(r.Bytes())+len(puts)*80) {
			t.Errorf("%d bytes for a record of %d", n, len(r.Bytes()))
		}
		for _, p := range puts {
			b := mustFetch(t, c, w.id(1), newest(p.Place, 64))
			if got := append(b.Records, b.Witnesses...); len(got) != 1 || got[0].ID() != r.ID() {
				t.Errorf("%s: %v", p.Place, ids(got))
			}
		}
	})
}

// Every outcome of a store arrives as it was.
func TestPut_outcomes(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, _ := w.pairUp(t)
		rs := posts(t, 1, 66)
		at := func(r *records.Record) records.Put { return records.Put{Place: month(rs[0]), Record: r} }
		for i, r := range rs[1:65] {
			if o := mustPut(t, c, w.id(1), at(r))[0].Outcome; o.Status != records.Stored || o.Displaced != nil {
				t.Fatalf("post %d: %+v", i, o)
			}
		}
		if o := mustPut(t, c, w.id(1), at(rs[65]))[0].Outcome; o.Status != records.Below || o.Bound != month(rs[0]).Position(rs[64]) {
			t.Errorf("the latest of 65: %+v", o)
		}
		o := mustPut(t, c, w.id(1), at(rs[0]))[0].Outcome
		if want := []records.ID{rs[65].ID(), rs[64].ID()}; o.Status != records.Stored || !slices.Equal(ids(o.Displaced), want) {
			t.Errorf("the earliest of 66: %+v", o)
		}
		if o := mustPut(t, c, w.id(1), at(rs[0]))[0].Outcome; o.Status != records.Have || o.Held != rs[0] {
			t.Errorf("again: %+v", o)
		}
		newer := edit(t, rs[0], 1)
		if o := mustPut(t, c, w.id(1), at(newer))[0].Outcome; o.Status != records.Stored {
			t.Errorf("edit: %+v", o)
		}
		if o := mustPut(t, c, w.id(1), at(rs[0]))[0].Outcome; o.Status != records.Have || o.Held.ID() != newer.ID() {
			t.Errorf("before the edit: %+v", o)
		}
		root := records.Put{Place: month(rs[0]).Root(), Record: rs[1]}
		if o := mustPut(t, c, w.id(1), root)[0].Outcome; o.Status != records.Below || o.Bound != (records.Position{}) {
			t.Errorf("at a root: %+v", o)
		}
	})
}

// More records than a frame takes go in several.
func TestPut_moreThanAFrame(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, _ := w.pairUp(t)
		var puts []records.Put
		for _, r := range posts(t, 1, 300, "a", "b") {
			puts = append(puts, everywhere(r)...)
		}
		results := mustPut(t, c, w.id(1), puts...)
		if len(results) != len(puts) {
			t.Fatalf("%d results for %d puts", len(results), len(puts))
		}
		if b := mustFetch(t, c, w.id(1), newest(puts[1].Place, 64)); len(b.Records) != 64 || !b.Full {
			t.Errorf("%d records of 300, full %t", len(b.Records), b.Full)
		}
		if results, err := c.Put(t.Context(), w.id(1), nil); len(results) != 0 || err != nil {
			t.Errorf("put of nothing: %v, %v", results, err)
		}
	})
}

// What is refused is refused alone, with a code; the rest is stored.
func TestPut_refusals(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		store := newMemory(t)
		good := post(t, 1, 1)
		home := month(good).Coordinate()
		w.serve(t, 1, store, region{bits: 3, of: home})
		c := w.client(t, 0)
		foreign := postAt(t, testNetwork(t, "other"), 1, 1, noon)
		ahead := postAt(t, net(t), 1, 2, records.MillisOf(time.Now().Add(records.MaxAhead+time.Second)))
		for _, p := range []struct {
			name string
			put  records.Put
			want exchange.Code
		}{
			{"good", records.Put{Place: month(good), Record: good}, 0},
			{"of another network", records.Put{Place: month(foreign), Record: foreign}, exchange.WrongNetwork},
			{"from the future", records.Put{Place: month(ahead), Record: ahead}, exchange.FromTheFuture},
			{"at another's place", records.Put{Place: records.UserPlace(person(2).User()), Record: good}, exchange.WrongOwner},
			{"at a place of something else", records.Put{Place: records.TagPlace("elsewhere"), Record: good}, exchange.Misplaced},
		} {
			results, err := c.Put(t.Context(), w.id(1), []records.Put{p.put, {Place: month(good), Record: good}})
			if err != nil {
				t.Fatal(err)
			}
			if got := code(results[0].Err); got != p.want {
				t.Errorf("%s: %v, want %s", p.name, results[0].Err, p.want)
			}
			if results[1].Err != nil {
				t.Errorf("%s: the good one beside it: %v", p.name, results[1].Err)
			}
		}
	})
}

// code is that of a refusal, 0 when err is not one.
func code(err error) exchange.Code {
	var r *exchange.Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return 0
}

// A member takes what it holds, and what it would hold with a prefix one bit shorter.
func TestPut_membersOnly(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		r := post(t, 1, 1)
		for _, c := range []struct {
			flip     int // the bit in which the server's region differs
			narrowed int // of the five bits, for want of room
			want     exchange.Code
		}{{-1, 0, 0}, {4, 0, 0}, {3, 0, exchange.NotAMember}, {0, 0, exchange.NotAMember}, {-1, 1, 0}, {4, 1, exchange.NotAMember}} {
			of := month(r).Coordinate()
			if c.flip >= 0 {
				of[0] ^= 0x80 >> c.flip
			}
			_, stop := w.serve(t, 1, newMemory(t), region{bits: 5, of: of, narrowed: c.narrowed})
			client := w.client(t, 0)
			results, err := client.Put(t.Context(), w.id(1), []records.Put{{Place: month(r), Record: r}})
			if err != nil {
				t.Fatal(err)
			}
			if got := code(results[0].Err); got != c.want {
				t.Errorf("region differs in bit %d of 5, narrowed by %d: %v, want %s", c.flip, c.narrowed, results[0].Err, c.want)
			}
			stop()
			client.Close()
		}
	})
}

func TestPut_storeFails(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, store := w.pairUp(t)
		r := post(t, 1, 1)
		slow := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for _, k := range []struct {
			name   string
			merged func(context.Context) error
			want   exchange.Code
		}{
			{"full", func(context.Context) error { return errors.Join(errors.New("disk"), exchange.ErrFull) }, exchange.Full},
			{"broken", func(context.Context) error { return errors.New("a path nobody else should see") }, exchange.Internal},
			{"slow", slow, 0},
		} {
			store.merged = k.merged
			results, err := c.Put(t.Context(), w.id(1), everywhere(r))
			if k.name == "slow" {
				if !errors.Is(err, exchange.ErrUnavailable) {
					t.Errorf("slow store: %v, %v", results, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range results {
				var r *exchange.Refusal
				if !errors.As(result.Err, &r) || r.Code != k.want || r.Sentence == "a path nobody else should see" {
					t.Errorf("%s: %v", k.name, result.Err)
				}
			}
		}
	})
}

// Pages follow each other without overlap until the bucket has been read.
func TestFetch_pages(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, _ := w.pairUp(t)
		rs := posts(t, 1, 50)
		for _, r := range rs {
			mustPut(t, c, w.id(1), records.Put{Place: month(r), Record: r})
		}
		q := newest(month(rs[0]), 20)
		var read []*records.Record
		for {
			b := mustFetch(t, c, w.id(1), q)
			if b.Count != 50 || b.Full {
				t.Fatalf("%+v", b)
			}
			read = append(read, b.Records...)
			if !b.More {
				break
			}
			q.Before = q.Place.Position(b.Records[len(b.Records)-1])
		}
		slices.Reverse(read)
		if !slices.Equal(ids(read), ids(rs)) {
			t.Errorf("read %d of %d, or in another order", len(read), len(rs))
		}
	})
}

// When the fingerprint is asked for, it alone travels, and it is that of the answer
// which the same query has otherwise: of a page, too.
func TestFetch_fingerprintAlone(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, _ := w.pairUp(t)
		rs := posts(t, 1, 64)
		for _, r := range rs {
			mustPut(t, c, w.id(1), everywhere(r)...)
		}
		m := month(rs[0])
		queries := []records.Query{newest(m.Root(), 64), newest(m, 64), newest(m, 10), {Place: m, Before: m.Position(rs[40]), Limit: 20}}
		whole, err := c.Fetch(t.Context(), w.id(1), queries)
		if err != nil {
			t.Fatal(err)
		}
		for i := range queries {
			queries[i].Print = true
		}
		before := w.hosts[1].sent.Load()
		prints, err := c.Fetch(t.Context(), w.id(1), queries)
		if err != nil {
			t.Fatal(err)
		}
		if n := w.hosts[1].sent.Load() - before; n > 400 {
			t.Errorf("%d bytes", n)
		}
		for i, a := range prints {
			b, want := a.Bucket, whole[i].Bucket
			if a.Err != nil || whole[i].Err != nil {
				t.Fatal(a.Err, whole[i].Err)
			}
			if b.Fingerprint != want.Sum() || b.Fingerprint.Count == 0 || b.Count != want.Count || len(b.Records)+len(b.Witnesses) != 0 {
				t.Errorf("%s: %+v, want %+v", b.Place, b, want)
			}
		}
	})
}

// More places than a frame takes are asked in several; all are answered in order.
func TestFetch_manyPlaces(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, _ := w.pairUp(t)
		var queries []records.Query
		for i := range 2*protocol.MaxQueries + 1 {
			r := post(t, i, i)
			mustPut(t, c, w.id(1), records.Put{Place: month(r), Record: r})
			queries = append(queries, newest(month(r), 1+i%3))
		}
		answers, err := c.Fetch(t.Context(), w.id(1), queries)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			if a.Err != nil || a.Bucket.Place != queries[i].Place || len(a.Bucket.Records) != 1 {
				t.Fatalf("query %d: %+v", i, a)
			}
		}
	})
}

// An answer of more than its limit comes in several requests, and a bucket larger
// than a frame in several pages. Nobody has to know.
func TestFetch_moreThanAnAnswer(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, store := w.pairUp(t)
		var queries []records.Query
		for author := range 12 {
			rs := largePosts(t, author, 64)
			for _, r := range rs {
				store.state(month(r)).Merge(r)
			}
			queries = append(queries, newest(month(rs[0]), 64))
		}
		read := map[records.Place]int{}
		for len(queries) > 0 {
			answers, err := c.Fetch(t.Context(), w.id(1), queries)
			if err != nil {
				t.Fatal(err)
			}
			queries = nil
			for _, a := range answers {
				if a.Err != nil {
					t.Fatal(a.Err)
				}
				b := a.Bucket
				read[b.Place] += len(b.Records)
				if b.More {
					queries = append(queries, records.Query{Place: b.Place, Before: b.Place.Position(b.Records[len(b.Records)-1]), Limit: 64})
				}
			}
		}
		for p, n := range read {
			if n != 64 {
				t.Errorf("%s: %d records", p, n)
			}
		}
		if len(read) != 12 {
			t.Errorf("%d places", len(read))
		}
	})
}

func TestStatus(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{bits: 11})
		c := w.client(t, 0)
		s, err := c.Status(t.Context(), w.id(1))
		if err != nil {
			t.Fatal(err)
		}
		if s.Version != "test" || s.Network != net(t).ID() || s.Prefix != 11 || s.Records != 7 || s.Bytes != 700 {
			t.Errorf("%+v", s)
		}
		if s.Limits.PutRecords != protocol.MaxPutRecords || s.Limits.InFlight != protocol.MaxInFlight || s.Load < 0 || s.Load > 0.01 {
			t.Errorf("%+v", s)
		}
	})
}

// The prefix comes with every answer; it is asked for only when there was none.
func TestPrefixOf_remembered(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{bits: 5, of: month(post(t, 1, 1)).Coordinate()})
		w.serve(t, 2, newMemory(t), region{bits: 9})
		c := w.client(t, 0)
		mustFetch(t, c, w.id(1), newest(month(post(t, 1, 1)), 1))
		for i, want := range map[int]int{1: 5, 2: 9} {
			bits, err := c.PrefixOf(t.Context(), w.id(i))
			if err != nil || bits != want {
				t.Errorf("node %d: %d, %v", i, bits, err)
			}
		}
		sent := w.hosts[0].sent.Load()
		if _, err := c.PrefixOf(t.Context(), w.id(2)); err != nil || w.hosts[0].sent.Load() != sent {
			t.Errorf("was asked again, %v", err)
		}
	})
}

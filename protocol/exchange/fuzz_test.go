package exchange_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// Whatever a stranger sends on a stream, the server's answers are messages of
// ours, to requests that it sent, and nothing gets into the store but what passes
// the door and fits.
func FuzzServer(f *testing.F) {
	r := post(f, 1, 1, "cats")
	put := putRequest(1, everywhere(r)...)
	f.Add(mustFrame(f, put))
	f.Add(mustFrame(f, fetchRequest(2, newest(month(r), 64), newest(month(r).Root(), 0))))
	f.Add(append(mustFrame(f, statusRequest(3)), mustFrame(f, statusRequest(4))...))
	f.Add(mustFrame(f, followRequest(records.TagPlace("cats"), month(r).Root())))
	f.Add(mustFrame(f, reconcileRequest(5, &pb.Reconcile{Message: firstMessage(f, newHoldings())})))
	f.Add(mustFrame(f, reconcileRequest(6, &pb.Reconcile{Wants: []*pb.Standing{standingMessage(everywhere(r)[1])}})))
	f.Add(mustFrame(f, offerRequest(5, nameOf(f, 0), month(r))))
	nowhere := proto.CloneOf(fetchRequest(1, newest(month(r), 64)))
	nowhere.GetFetch().Queries[0].Place = []byte{1}
	f.Add(mustFrame(f, nowhere))
	never := proto.CloneOf(fetchRequest(1, newest(month(r), 64)))
	never.GetFetch().Queries[0].Before = &pb.Position{Key: []byte{1}}
	f.Add(mustFrame(f, never))
	f.Add(mustFrame(f, fetchRequest(1)))
	f.Add(mustFrame(f, putRequest(0, everywhere(r)...)))
	f.Add([]byte{3, 0xff, 0xff, 0xff})
	f.Add(append(mustFrame(f, put), 0x80, 0x80))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, sent []byte) {
		w := newWorld(t, 2)
		store := newMemory(t)
		s := exchange.NewServer(exchange.ServerConfig{
			Host: w.hosts[1], Door: newDoor(t), Store: store, Holdings: newHoldings(everywhere(r)...), Region: region{},
			Status: func() exchange.Status { return exchange.Status{} },
		})
		stop := w.run(t, 1, s)
		defer stop()
		stream := w.dial(t, 0, 1)
		defer stream.drain()
		var writer sync.WaitGroup
		defer writer.Wait()
		writer.Go(func() { stream.send(sent); _ = stream.CloseWrite() })
		for {
			b, err := stream.frames.Next()
			if err != nil {
				break
			}
			m, err := exchange.DecodeReply(b)
			if err != nil {
				t.Fatal(err)
			}
			if m.GetFollow() != nil {
				_ = stream.Reset()
			}
		}
		stop() // nothing is merged any more
		for place := range store.states {
			b, err := store.Bucket(newest(place, 64))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range append(b.Records, b.Witnesses...) {
				if _, err := records.Open(r.Bytes(), net(t), noon.Time()); err != nil || records.Fits(r, place) != nil {
					t.Fatalf("%s got into %s: %v", r.ID(), place, err)
				}
			}
		}
	})
}

// Whatever a peer answers to a fetch, each bucket is an error or keeps the rules.
func FuzzFetchReply(f *testing.F) {
	q, good, hostile := hostileBuckets(f)
	r := post(f, 1, 1)
	prints := newest(month(r), 0)
	prints.Print = true
	queries := []records.Query{q, prints}
	sum := &pb.Bucket{Count: 1, Fingerprint: sumOf(32)}
	reply := func(more bool, buckets ...*pb.Bucket) []byte {
		return mustFrame(f, &pb.Reply{Id: 1, Prefix: 3, More: more, Body: &pb.Reply_Fetch{Fetch: &pb.FetchReply{Buckets: buckets}}})
	}
	for _, c := range hostile {
		b := good()
		if c.change != nil {
			c.change(b)
		}
		f.Add(reply(false, b, sum))
	}
	for _, b := range hostilePrints(f, r) {
		f.Add(reply(false, good(), b))
	}
	f.Add(append(reply(true, good()), reply(false, sum)...))
	f.Add(mustFrame(f, &pb.Reply{Id: 1, Body: &pb.Reply_Refusal{Refusal: &pb.Refusal{Code: 9, Sentence: "busy"}}}))
	f.Add(mustFrame(f, &pb.Reply{Prefix: 3}))
	f.Add([]byte{3, 0xff, 0xff, 0xff})
	busy := &pb.Bucket{Refusal: &pb.Refusal{Code: pb.Code_CODE_BUSY, Sentence: "not now"}}
	f.Add(reply(false, busy, busy))
	hot := good()
	hot.Hot, hot.Copies = true, [][]byte{nameOf(f, 2)}
	long := good()
	long.Hot, long.Copies = true, [][]byte{make([]byte, protocol.MaxCopyBytes+1)}
	f.Add(reply(false, hot, sum))
	f.Add(reply(false, long, sum))
	f.Fuzz(func(t *testing.T, sent []byte) {
		answers, err := answerWith(t, sent, func(c *exchange.Client, w *world) ([]exchange.Answer, error) {
			return c.Fetch(context.Background(), w.id(1), queries)
		})
		if err != nil {
			mustBlame(t, err)
			return
		}
		for i, a := range answers {
			if a.Err != nil {
				mustBlame(t, a.Err)
				continue
			}
			mustKeepRules(t, queries[i], a.Bucket)
		}
	})
}

// Whatever a peer answers to a put, each result is an error or an outcome that can be.
func FuzzPutReply(f *testing.F) {
	rs := posts(f, 1, 3)
	newer := edit(f, rs[1], 1)
	at := month(rs[1])
	puts := []records.Put{{Place: at, Record: rs[1]}, {Place: at.Root(), Record: rs[1]}}
	held, first := uint32(0), at.Position(rs[0])
	bound := &pb.Position{Created: uint64(first.Created), Key: first.Key[:]}
	f.Add(mustFrame(f, &pb.Reply{Id: 1, Body: &pb.Reply_Put{Put: &pb.PutReply{Records: bytesOf(newer, rs[2]), Outcomes: []*pb.Outcome{
		{Verdict: pb.Verdict_VERDICT_HAVE, Held: &held}, {Verdict: pb.Verdict_VERDICT_BELOW, Displaced: []uint32{1}},
	}}}}))
	f.Add(mustFrame(f, &pb.Reply{Id: 1, Body: &pb.Reply_Put{Put: &pb.PutReply{Outcomes: []*pb.Outcome{
		{Verdict: pb.Verdict_VERDICT_BELOW, Bound: bound}, {Verdict: pb.Verdict_VERDICT_REFUSED, Refusal: &pb.Refusal{Code: 10}},
	}}}}))
	replaced, envelopes, all := outcomes(f)
	if replaced.ID() != rs[1].ID() {
		f.Fatal("outcomes of another put")
	}
	for _, c := range all {
		f.Add(mustFrame(f, &pb.Reply{Id: 1, Body: &pb.Reply_Put{Put: &pb.PutReply{
			Records: envelopes, Outcomes: []*pb.Outcome{c.o, {Verdict: pb.Verdict_VERDICT_STORED}},
		}}}))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		results, err := answerWith(t, sent, func(c *exchange.Client, w *world) ([]exchange.Result, error) {
			return c.Put(context.Background(), w.id(1), puts)
		})
		if err != nil {
			mustBlame(t, err)
			return
		}
		for i, r := range results {
			o, put := r.Outcome, puts[i]
			switch {
			case r.Err != nil:
				mustBlame(t, r.Err)
			case o.Status < records.Stored || o.Status > records.Below:
				t.Fatalf("status %d", o.Status)
			case o.Held != nil && o.Held != put.Record && (o.Held.ItemKey() != put.Record.ItemKey() || !o.Held.Wins(put.Record)):
				t.Fatal("held is another thing, or older")
			case o.Bound != (records.Position{}) && put.Place.Position(put.Record).Compare(o.Bound) <= 0:
				t.Fatal("bound is not below")
			}
		}
	})
}

// answerWith lets a client ask a peer that answers whatever it is asked with the
// same bytes and then ends its stream.
func answerWith[T any](t *testing.T, sent []byte, ask func(*exchange.Client, *world) ([]T, error)) ([]T, error) {
	w := newWorld(t, 2)
	w.script(t, 1, func(r *raw) {
		r.request()
		r.send(sent)
		_ = r.CloseWrite()
		r.drain()
	})
	c := exchange.NewClient(exchange.ClientConfig{Host: w.hosts[0], Door: newDoor(t)})
	defer c.Close()
	return ask(c, w)
}

// mustBlame checks that an error says whose it is.
func mustBlame(t *testing.T, err error) {
	t.Helper()
	var r *exchange.Refusal
	switch {
	case errors.Is(err, exchange.ErrProtocol), errors.Is(err, exchange.ErrUnavailable):
	case errors.As(err, &r) && len(r.Sentence) <= protocol.MaxSentence:
	default:
		t.Fatalf("whose fault is %v?", err)
	}
}

// mustKeepRules checks that a bucket can be the answer to q.
func mustKeepRules(t *testing.T, q records.Query, b records.Bucket) {
	t.Helper()
	if b.Place != q.Place || len(b.Records) > q.Limit || len(b.Records) > b.Count || b.Count > 64 {
		t.Fatalf("%d of %d records", len(b.Records), b.Count)
	}
	for _, rs := range [][]*records.Record{b.Records, b.Witnesses} {
		last := q.Before
		for _, r := range rs {
			at := q.Place.Position(r)
			if records.Fits(r, q.Place) != nil || at.Compare(last) >= 0 {
				t.Fatal("a record out of place")
			}
			last = at
		}
	}
}

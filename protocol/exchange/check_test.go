package exchange_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// playFetch answers every fetch with the same buckets.
func (w *world) playFetch(t *testing.T, i int, buckets ...*pb.Bucket) {
	w.script(t, i, func(r *raw) {
		for m := r.request(); m != nil; m = r.request() {
			r.sendFrame(&pb.Reply{Id: m.GetId(), Body: &pb.Reply_Fetch{Fetch: &pb.FetchReply{Buckets: buckets}}})
		}
	})
}

func bytesOf(rs ...*records.Record) (out [][]byte) {
	for _, r := range rs {
		out = append(out, r.Bytes())
	}
	return out
}

// damaged is an envelope with one bit of its signature flipped.
func damaged(r *records.Record) []byte {
	b := slices.Clone(r.Bytes())
	b[len(b)-1] ^= 1
	return b
}

// hostileBucket is an answer to q that cannot be, or no change of one that can.
type hostileBucket struct {
	name   string
	change func(b *pb.Bucket)
}

func hostileBuckets(t testing.TB) (q records.Query, good func() *pb.Bucket, hostile []hostileBucket) {
	rs := posts(t, 1, 5)
	slices.Reverse(rs) // newest first
	stranger := post(t, 2, 1)
	foreign := postAt(t, testNetwork(t, "other"), 1, 1, noon)
	place := month(rs[0])
	good = func() *pb.Bucket { return &pb.Bucket{Records: bytesOf(rs[1:]...), Count: 4} }
	return records.Query{Place: place, Before: place.Position(rs[0]), Limit: 4}, good, []hostileBucket{
		{"as it should be", nil},
		{"oldest first", func(b *pb.Bucket) { slices.Reverse(b.Records) }},
		{"a record twice", func(b *pb.Bucket) { b.Records[1] = b.Records[0] }},
		{"a record that is not before the cursor", func(b *pb.Bucket) { b.Records[0] = rs[0].Bytes() }},
		{"another's record", func(b *pb.Bucket) { b.Records[2] = stranger.Bytes() }},
		{"a record of another network", func(b *pb.Bucket) { b.Records[2] = foreign.Bytes() }},
		{"a forged record", func(b *pb.Bucket) { b.Records[3] = damaged(rs[4]) }},
		{"an empty record", func(b *pb.Bucket) { b.Records[3] = nil }},
		{"more than were asked for", func(b *pb.Bucket) { b.Records, b.Count = append(bytesOf(rs[0]), b.Records...), 5 }},
		{"more than it holds", func(b *pb.Bucket) { b.Count = 3 }},
		{"more than a bucket can hold", func(b *pb.Bucket) { b.Count = 65 }},
		{"another's witness", func(b *pb.Bucket) { b.Witnesses = bytesOf(stranger) }},
		{"a witness twice", func(b *pb.Bucket) { b.Witnesses = bytesOf(rs[0], rs[0]) }},
		{"a forged witness", func(b *pb.Bucket) { b.Witnesses = [][]byte{damaged(rs[0])} }},
		{"fewer than fit", func(b *pb.Bucket) { b.Records, b.More = b.Records[:2], true }},
		{"a fingerprint nobody asked for", func(b *pb.Bucket) { b.Fingerprint = &pb.Fingerprint{Count: 1, Sum: make([]byte, 32)} }},
	}
}

// A bucket that cannot be spoils itself alone, and says so.
func TestFetch_hostileBuckets(t *testing.T) {
	q, good, hostile := hostileBuckets(t)
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				b := good()
				if c.change != nil {
					c.change(b)
				}
				w.playFetch(t, 1, b, good())
				answers, err := w.client(t, 0).Fetch(t.Context(), w.id(1), []records.Query{q, q})
				if err != nil {
					t.Fatal(err)
				}
				if hostile := c.change != nil; errors.Is(answers[0].Err, exchange.ErrProtocol) != hostile {
					t.Errorf("the bucket: %v", answers[0].Err)
				}
				if a := answers[1]; a.Err != nil || len(a.Bucket.Records) != 4 {
					t.Errorf("the one beside it: %+v", a)
				}
			})
		})
	}
}

func sumOf(size int) *pb.Fingerprint { return &pb.Fingerprint{Count: 1, Sum: make([]byte, size)} }

// hostilePrints are answers to a print of r's month.
func hostilePrints(t testing.TB, r *records.Record) map[string]*pb.Bucket {
	return map[string]*pb.Bucket{
		"a fingerprint of 31 bytes":       {Count: 1, Fingerprint: sumOf(31)},
		"records nobody asked for":        {Count: 1, Fingerprint: sumOf(32), Records: bytesOf(r)},
		"more than a bucket can hold":     {Count: 65, Fingerprint: sumOf(32)},
		"a witness of another's timeline": {Count: 1, Fingerprint: sumOf(32), Witnesses: bytesOf(post(t, 2, 1))},
	}
}

// A print that cannot be is refused, and the one beside it is not.
func TestFetch_hostilePrints(t *testing.T) {
	r := post(t, 1, 1)
	for name, hostile := range hostilePrints(t, r) {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.playFetch(t, 1, hostile, &pb.Bucket{Count: 1, Fingerprint: sumOf(32)})
				q := newest(month(r), 0)
				q.Print = true
				answers, err := w.client(t, 0).Fetch(t.Context(), w.id(1), []records.Query{q, q})
				if err != nil {
					t.Fatal(err)
				}
				if !errors.Is(answers[0].Err, exchange.ErrProtocol) {
					t.Errorf("the print: %v", answers[0].Err)
				}
				if a := answers[1]; a.Err != nil || a.Bucket.Fingerprint.Count != 1 {
					t.Errorf("the one beside it: %+v", a)
				}
			})
		})
	}
}

// From the newest on, what is left out has to be said.
func TestFetch_hidesNothing(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		r := post(t, 1, 1)
		w.playFetch(t, 1, &pb.Bucket{Records: bytesOf(r), Count: 2}, &pb.Bucket{Records: bytesOf(r), Count: 1, More: true})
		answers, err := w.client(t, 0).Fetch(t.Context(), w.id(1), []records.Query{newest(month(r), 64), newest(month(r), 64)})
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			if !errors.Is(a.Err, exchange.ErrProtocol) {
				t.Errorf("bucket %d: %v", i, a.Err)
			}
		}
	})
}

// Whatever fingerprint a holder claims for what it shows, the reader has that of
// what was shown.
func TestFetch_claimedFingerprint(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		rs := posts(t, 1, 2)
		whole := records.Bucket{Place: month(rs[0]), Records: rs}.Sum()
		claim := &pb.Fingerprint{Count: whole.Count, Sum: whole.Sum[:]}
		w.playFetch(t, 1, &pb.Bucket{Records: bytesOf(rs[0]), Count: 1}, &pb.Bucket{Records: bytesOf(rs[0]), Count: 1, Fingerprint: claim})
		q := newest(month(rs[0]), 64)
		answers, err := w.client(t, 0).Fetch(t.Context(), w.id(1), []records.Query{q, q})
		if err != nil {
			t.Fatal(err)
		}
		if b := answers[0].Bucket; b.Fingerprint != records.Element(b.Place.Coordinate(), rs[0].ItemKey(), rs[0].ID()) {
			t.Errorf("fingerprint %v of one record", b.Fingerprint)
		}
		if !errors.Is(answers[1].Err, exchange.ErrProtocol) {
			t.Errorf("a fingerprint nobody asked for: %v", answers[1].Err)
		}
	})
}

// A record that is ahead of our clock is passed over; the holder's may be right.
func TestFetch_aheadOfOurClock(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		now := records.MillisOf(time.Now())
		old, ahead := postAt(t, net(t), 1, 1, now, "cats"), postAt(t, net(t), 1, 2, now+3_600_000, "cats")
		w.playFetch(t, 1, &pb.Bucket{Records: bytesOf(ahead, old), Witnesses: bytesOf(ahead), Count: 2})
		b := mustFetch(t, w.client(t, 0), w.id(1), newest(records.TagPlace("cats").At(records.LevelMonth, old), 64))
		if !slices.Equal(ids(b.Records), ids([]*records.Record{old})) || len(b.Witnesses) != 0 || b.Count != 2 || b.More {
			t.Errorf("%+v", b)
		}
	})
}

// A fetch that is answered as a whole by something else fails as a whole.
func TestFetch_hostileAnswers(t *testing.T) {
	r := post(t, 1, 1)
	good := &pb.Bucket{Records: bytesOf(r), Count: 1}
	for name, buckets := range map[string][]*pb.Bucket{"too few": {good}, "too many": {good, good, good}, "none": nil} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.playFetch(t, 1, buckets...)
				_, err := w.client(t, 0).Fetch(t.Context(), w.id(1), []records.Query{newest(month(r), 1), newest(month(r), 1)})
				if !errors.Is(err, exchange.ErrProtocol) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// A peer that finds everything too large is not asked for ever.
func TestFetch_alwaysTooLarge(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		no := &pb.Bucket{Refusal: &pb.Refusal{Code: pb.Code_CODE_TOO_LARGE, Sentence: "no"}}
		w.playFetch(t, 1, no, no)
		q := newest(month(post(t, 1, 1)), 1)
		answers, err := w.client(t, 0).Fetch(t.Context(), w.id(1), []records.Query{q, q})
		if err != nil || code(answers[0].Err) != exchange.TooLarge || code(answers[1].Err) != exchange.TooLarge {
			t.Errorf("%v, %v", answers, err)
		}
	})
}

// outcome is what became of a put, and whether it can be.
type outcome struct {
	name string
	o    *pb.Outcome
	good bool
}

// outcomes are answers to the put of a record at its month, with what they point at.
func outcomes(t testing.TB) (ours *records.Record, held [][]byte, all []outcome) {
	rs := posts(t, 1, 3)
	ours, other := rs[1], rs[2]
	newer := edit(t, ours, 1)
	stranger := post(t, 2, 1)
	index := func(i uint32) *uint32 { return &i }
	position := func(r *records.Record) *pb.Position {
		at := month(r).Position(r)
		return &pb.Position{Created: uint64(at.Created), Key: at.Key[:]}
	}
	held = bytesOf(newer, other, ours, stranger, rs[0])
	held = append(held, damaged(newer), post(t, 1, 13*60*60).Bytes()) // the last is ahead of our clock
	const stored, have, below = pb.Verdict_VERDICT_STORED, pb.Verdict_VERDICT_HAVE, pb.Verdict_VERDICT_BELOW
	return ours, held, []outcome{
		{"stored", &pb.Outcome{Verdict: stored}, true},
		{"stored, another displaced", &pb.Outcome{Verdict: stored, Displaced: []uint32{1}}, true},
		{"stored, one of our future displaced", &pb.Outcome{Verdict: stored, Displaced: []uint32{6}}, true},
		{"had", &pb.Outcome{Verdict: have}, true},
		{"had a newer one", &pb.Outcome{Verdict: have, Held: index(0)}, true},
		{"below", &pb.Outcome{Verdict: below, Bound: position(rs[0])}, true},
		{"no verdict", &pb.Outcome{}, false},
		{"unknown verdict", &pb.Outcome{Verdict: 77}, false},
		{"stored, and another held", &pb.Outcome{Verdict: stored, Held: index(0)}, false},
		{"stored, with a bound", &pb.Outcome{Verdict: stored, Bound: position(rs[0])}, false},
		{"had, with a bound", &pb.Outcome{Verdict: have, Bound: position(rs[0])}, false},
		{"had another thing", &pb.Outcome{Verdict: have, Held: index(1)}, false},
		{"had an older version", &pb.Outcome{Verdict: have, Held: index(2)}, false},
		{"had a forged one", &pb.Outcome{Verdict: have, Held: index(5)}, false},
		{"had none of these", &pb.Outcome{Verdict: have, Held: index(7)}, false},
		{"below without a bound", &pb.Outcome{Verdict: below}, false},
		{"below, within the bound", &pb.Outcome{Verdict: below, Bound: position(rs[2])}, false},
		{"below, at the bound", &pb.Outcome{Verdict: below, Bound: position(ours)}, false},
		{"below, key of 31 bytes", &pb.Outcome{Verdict: below, Bound: &pb.Position{Key: make([]byte, 31)}}, false},
		{"another's displaced", &pb.Outcome{Verdict: stored, Displaced: []uint32{3}}, false},
		{"a forged one displaced", &pb.Outcome{Verdict: stored, Displaced: []uint32{5}}, false},
		{"an older one displaced", &pb.Outcome{Verdict: stored, Displaced: []uint32{4}}, false},
		{"itself displaced", &pb.Outcome{Verdict: stored, Displaced: []uint32{2}}, false},
		{"three displaced", &pb.Outcome{Verdict: stored, Displaced: []uint32{1, 1, 1}}, false},
		{"none of these displaced", &pb.Outcome{Verdict: stored, Displaced: []uint32{1 << 31}}, false},
	}
}

// An outcome that cannot be is an error of that put alone.
func TestPut_hostileOutcomes(t *testing.T) {
	ours, held, all := outcomes(t)
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.script(t, 1, func(r *raw) {
					m := &pb.PutReply{Records: held, Outcomes: []*pb.Outcome{c.o, {Verdict: pb.Verdict_VERDICT_STORED}}}
					r.sendFrame(&pb.Reply{Id: r.request().GetId(), Body: &pb.Reply_Put{Put: m}})
					r.drain()
				})
				put := records.Put{Place: month(ours), Record: ours}
				results, err := w.client(t, 0).Put(t.Context(), w.id(1), []records.Put{put, put})
				if err != nil {
					t.Fatal(err)
				}
				if good := results[0].Err == nil; good != c.good || !good && !errors.Is(results[0].Err, exchange.ErrProtocol) {
					t.Errorf("got %+v", results[0])
				}
				if results[1].Err != nil {
					t.Errorf("the one beside it: %v", results[1].Err)
				}
			})
		})
	}
}

// So is an answer with more outcomes than puts, or fewer, for all of them.
func TestPut_hostileAnswers(t *testing.T) {
	r := post(t, 1, 1)
	for _, n := range []int{0, 1, 3} {
		inBubble(t, 2, func(t *testing.T, w *world) {
			w.script(t, 1, func(r *raw) {
				m := &pb.PutReply{}
				for range n {
					m.Outcomes = append(m.Outcomes, &pb.Outcome{Verdict: pb.Verdict_VERDICT_STORED})
				}
				r.sendFrame(&pb.Reply{Id: r.request().GetId(), Body: &pb.Reply_Put{Put: m}})
				r.drain()
			})
			put := records.Put{Place: month(r), Record: r}
			if _, err := w.client(t, 0).Put(t.Context(), w.id(1), []records.Put{put, put}); !errors.Is(err, exchange.ErrProtocol) {
				t.Errorf("%d outcomes of 2: %v", n, err)
			}
		})
	}
}

// A refusal's words are a stranger's: never longer than allowed, always UTF-8.
func TestRefusal_sentence(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		w.script(t, 1, func(r *raw) {
			long := string(make([]byte, 255)) + "é and more"
			r.sendFrame(&pb.Reply{Id: r.request().GetId(), Body: &pb.Reply_Refusal{Refusal: &pb.Refusal{Code: 12345, Sentence: long}}})
			r.drain()
		})
		_, err := w.client(t, 0).Status(t.Context(), w.id(1))
		var r *exchange.Refusal
		if !errors.As(err, &r) || r.Sentence != string(make([]byte, 255)) || r.Code != 0 {
			t.Errorf("got %#v", err)
		}
	})
}

package exchange_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

func reconcileRequest(id uint64, m *pb.Reconcile) *pb.Request {
	return &pb.Request{Id: id, Body: &pb.Request_Reconcile{Reconcile: m}}
}

// firstMessage is what a session about everything begins with.
func firstMessage(tb testing.TB, set reconcile.Set) []byte {
	tb.Helper()
	s := reconcile.NewSession(set, reconcile.Salt{1}, reconcile.Start, reconcile.End, reconcile.Limits{Bytes: 64 << 10, Items: 10_000})
	_, message, err := s.Step(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return message
}

func standingMessage(p records.Put) *pb.Standing {
	at, key := p.Place.Coordinate(), p.Record.ItemKey()
	return &pb.Standing{Key: key[:], Coordinates: [][]byte{at[:]}}
}

// What no honest node asks is refused, with the reason, and nothing is handed over.
func TestReconcile_refusals(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		puts := allPuts(posts(t, 1, 5)...)
		h := newHoldings(puts...)
		at := puts[0].Place.Coordinate()
		w.serveHoldings(t, 1, h, region{bits: 2, of: at})
		r := w.dial(t, 0, 1)
		prefix := []byte{at[0] & 0xc0}
		message, want := firstMessage(t, h), standingMessage(puts[0])
		outside := standingMessage(puts[0])
		outside.Coordinates = [][]byte{slices.Concat([]byte{at[0] ^ 0x80}, at[1:])}
		for i, c := range []struct {
			name string
			ask  *pb.Reconcile
			want pb.Code
		}{
			{"nothing", &pb.Reconcile{Prefix: prefix, Bits: 2}, pb.Code_CODE_MALFORMED},
			{"message and wants", &pb.Reconcile{Prefix: prefix, Bits: 2, Message: message, Wants: []*pb.Standing{want}}, pb.Code_CODE_MALFORMED},
			{"prefix too short for its bits", &pb.Reconcile{Prefix: prefix, Bits: 9, Message: message}, pb.Code_CODE_MALFORMED},
			{"prefix too long for its bits", &pb.Reconcile{Prefix: append(prefix, 0), Bits: 2, Message: message}, pb.Code_CODE_MALFORMED},
			{"bits behind the prefix", &pb.Reconcile{Prefix: []byte{prefix[0] | 1}, Bits: 2, Message: message}, pb.Code_CODE_MALFORMED},
			{"prefix of 257 bits", &pb.Reconcile{Prefix: make([]byte, 33), Bits: 257, Message: message}, pb.Code_CODE_MALFORMED},
			{"prefix of 2^31 bits", &pb.Reconcile{Prefix: prefix, Bits: 1 << 31, Message: message}, pb.Code_CODE_MALFORMED},
			{"all of the ring", &pb.Reconcile{Message: message}, pb.Code_CODE_NOT_A_MEMBER},
			{"another part of it", &pb.Reconcile{Prefix: []byte{prefix[0] ^ 0x80}, Bits: 2, Message: message}, pb.Code_CODE_NOT_A_MEMBER},
			{"message about more than the prefix", &pb.Reconcile{Prefix: prefix, Bits: 2, Message: message}, pb.Code_CODE_MALFORMED},
			{"message that is none", &pb.Reconcile{Prefix: prefix, Bits: 2, Message: []byte("what do you have?")}, pb.Code_CODE_MALFORMED},
			{"message too large", &pb.Reconcile{Prefix: prefix, Bits: 2, Message: make([]byte, protocol.MaxReconcileMessage+1)}, pb.Code_CODE_TOO_LARGE},
			{"want outside of the prefix", &pb.Reconcile{Prefix: prefix, Bits: 2, Wants: []*pb.Standing{want, outside}}, pb.Code_CODE_MALFORMED},
			{"want without a key", &pb.Reconcile{Prefix: prefix, Bits: 2, Wants: []*pb.Standing{{Coordinates: want.GetCoordinates()}}}, pb.Code_CODE_MALFORMED},
			{"want without a coordinate", &pb.Reconcile{Prefix: prefix, Bits: 2, Wants: []*pb.Standing{{Key: want.GetKey()}}}, pb.Code_CODE_MALFORMED},
			{"want at half a coordinate", &pb.Reconcile{Prefix: prefix, Bits: 2, Wants: []*pb.Standing{{Key: want.GetKey(), Coordinates: [][]byte{at[:16]}}}}, pb.Code_CODE_MALFORMED},
			{"too many wants", &pb.Reconcile{Prefix: prefix, Bits: 2, Wants: slices.Repeat([]*pb.Standing{want}, protocol.MaxPutRecords+1)}, pb.Code_CODE_TOO_LARGE},
		} {
			r.sendFrame(reconcileRequest(uint64(i+1), c.ask))
			if got := r.reply().GetRefusal(); got.GetCode() != c.want {
				t.Errorf("%s: %v", c.name, got)
			}
		}
		r.sendFrame(reconcileRequest(99, &pb.Reconcile{Prefix: prefix, Bits: 2, Wants: []*pb.Standing{want}}))
		if got := r.reply().GetReconcile(); len(got.GetRecords()) != 1 {
			t.Errorf("what is in order: %v", got)
		}
	})
}

// Only who solves the puzzle of the network is reconciled with.
func TestReconcile_nodesOnly(t *testing.T) {
	n, err := records.NewNetwork("puzzle", records.Params{PuzzleBits: 40, Neighbourhood: 4, Capacity: 64})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		s := exchange.NewServer(exchange.ServerConfig{
			Host: w.hosts[1], Door: records.NewDoor(n, 1), Store: newMemory(t), Holdings: newHoldings(), Region: region{},
			Status: func() exchange.Status { return exchange.Status{} },
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = s.Run(ctx) }()
		w.hosts[1].await(protocol.ExchangeID(n))
		c := exchange.NewClient(exchange.ClientConfig{Host: w.hosts[0], Door: records.NewDoor(n, 1)})
		defer c.Close()
		var r *exchange.Refusal
		if _, err := c.Reconcile(ctx, w.id(1), everything, newHoldings(), reconcile.Start, nil); !errors.As(err, &r) || r.Code != exchange.NotAMember {
			t.Error(err)
		}
	})
}

// A peer that sends messages that are none is cut off like one that puts forged records.
func TestReconcile_offences(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		w.serveHoldings(t, 1, newHoldings(), region{})
		r := w.dial(t, 0, 1)
		for id := range uint64(protocol.MaxOffences + 1) {
			r.sendFrame(reconcileRequest(id+1, &pb.Reconcile{Message: []byte{1}}))
			r.reply()
		}
		if _, err := w.client(t, 0).Status(t.Context(), w.id(1)); err == nil {
			t.Error("it is still answered on another stream")
		}
		elapse(protocol.OffenceWindow + time.Second)
		if _, err := w.client(t, 0).Status(t.Context(), w.id(1)); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
}

// Of one peer's reconciliations one is in work at a time, over all its streams, and
// it rests from each for three times as long as it took, however it comes back;
// another peer does not wait for that.
func TestReconcile_oneAtATimeWithRests(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		h := newHoldings(allPuts(posts(t, 1, 3)...)...)
		var working, most, done atomic.Int32
		h.listed = func() {
			most.Store(max(most.Load(), working.Add(1)))
			<-time.NewTimer(time.Second).C
			working.Add(-1)
			done.Add(1)
		}
		w.serveHoldings(t, 1, h, region{})
		empty := firstMessage(t, newHoldings()) // is answered by one list
		var streams []*raw
		for range 3 {
			r := w.dial(t, 0, 1)
			streams = append(streams, r)
			for id := range uint64(2) {
				r.sendFrame(reconcileRequest(id+1, &pb.Reconcile{Message: empty}))
			}
		}
		elapse(8500 * time.Millisecond) // a second of work, three of rest, and again
		if d, m := done.Load(), most.Load(); d != 2 && d != 3 || m != 1 {
			t.Errorf("%d done after 8.5 s, %d at a time", d, m)
		}
		for _, r := range streams {
			_ = r.Reset()
		}
		before := done.Load()
		back := w.dial(t, 0, 1)
		back.sendFrame(reconcileRequest(1, &pb.Reconcile{Message: empty}))
		elapse(500 * time.Millisecond)
		if n := done.Load(); n > before+1 {
			t.Errorf("%d done right after coming back", n-before)
		}
		if d := took(func() { mustReconcile(t, w.client(t, 2), w, 1, everything, newHoldings()) }); d > 3*time.Second {
			t.Errorf("another peer waited %s", d)
		}
	})
}

// On a disk so slow that one range takes a second an answer still comes in time,
// with less in it, and the session goes on.
func TestReconcile_slowDisk(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		puts := allPuts(posts(t, 1, 100)...)
		theirs := newHoldings(puts...)
		theirs.listed = func() { <-time.NewTimer(time.Second).C }
		w.serveHoldings(t, 1, theirs, region{})
		ours := newHoldings(puts...)
		ours.add(allPuts(posts(t, 2, 30)...)...)
		if found := mustReconcile(t, w.client(t, 0), w, 1, everything, ours); len(found) != 60 {
			t.Errorf("%d differences, want 60", len(found))
		}
	})
}

// Peers that do nothing but ask for everything, on many streams at once, get as much
// as there is at full rate, and after that share the spare rate; who is new meanwhile
// is answered at once.
func TestReconcile_againAndAgain(t *testing.T) {
	inBubble(t, 5, func(t *testing.T, w *world) {
		w.serveHoldings(t, 1, newHoldings(allPuts(posts(t, 1, 200)...)...), region{})
		empty := firstMessage(t, newHoldings())
		const greedy = 3
		for i := range greedy * 4 {
			r := w.dial(t, 2+i%greedy, 1)
			go func() {
				for id := uint64(1); r.sendFrame(reconcileRequest(id, &pb.Reconcile{Message: empty})); id++ {
					r.reply()
				}
			}()
		}
		elapse(time.Second)
		n := w.hosts[1].sent.Load()
		if most := int64(greedy * (protocol.ReconcileRate + protocol.MaxReconcileAnswer)); n < greedy*protocol.ReconcileLeast || n > most {
			t.Errorf("%d bytes in the first second, want at least %d and at most %d", n, greedy*protocol.ReconcileLeast, most)
		}
		seconds := 100
		if testing.Short() {
			seconds = 20
		}
		elapse(time.Duration(seconds) * time.Second)
		n = w.hosts[1].sent.Load()
		spare := int64(seconds) * protocol.ReconcileSpare
		if most := spare + greedy*(protocol.ReconcileLeast+2*protocol.MaxReconcileAnswer); n > most || n < spare/2 {
			t.Errorf("%d bytes in %d s, at most %d", n, seconds, most)
		}
		if d := took(func() { mustReconcile(t, w.client(t, 0), w, 1, everything, newHoldings()) }); d > time.Second {
			t.Errorf("a peer that is new waited %s", d)
		}
	})
}

// Peers that ask and never read their answers keep no turn from others.
func TestReconcile_slowReaders(t *testing.T) {
	inBubble(t, 2+2*protocol.MaxReconcilesServer, func(t *testing.T, w *world) {
		size := 2200 // more than one answer tells
		if testing.Short() {
			size /= 4
		}
		h := newHoldings(allPuts(posts(t, 1, size)...)...)
		w.serveHoldings(t, 1, h, region{})
		empty := firstMessage(t, newHoldings())
		for i := range 2 * protocol.MaxReconcilesServer {
			r := w.dial(t, 2+i, 1)
			for id := range uint64(50) {
				r.sendFrame(reconcileRequest(id+1, &pb.Reconcile{Message: empty}))
			}
		}
		elapse(5 * time.Second)
		if d := took(func() { mustReconcile(t, w.client(t, 0), w, 1, everything, h) }); d > protocol.ReplyRoomWait {
			t.Errorf("an honest peer waited %s", d)
		}
	})
}

// Whatever a peer hands over, only what was asked for comes out, each through the
// door and at its place; else the peer is to blame.
func TestCollect_hostileReplies(t *testing.T) {
	rs := posts(t, 1, 3, "cats")
	wanted, other := everywhere(rs[0]), everywhere(rs[1])
	lacked := []reconcile.Difference{
		{At: wanted[0].Place.Coordinate(), Key: rs[0].ItemKey(), Theirs: rs[0].ID()},
		{At: wanted[1].Place.Coordinate(), Key: rs[0].ItemKey(), Theirs: rs[0].ID()},
	}
	forged := slices.Clone(rs[0].Bytes())
	forged[len(forged)-1] ^= 1
	entry := func(p records.Put, i uint32) *pb.PutEntry { return &pb.PutEntry{Place: p.Place.Bytes(), Record: i} }
	for _, c := range []struct {
		name  string
		reply *pb.ReconcileReply
		want  error
		puts  int
	}{
		{"as asked", &pb.ReconcileReply{Records: bytesOf(rs[0]), Entries: []*pb.PutEntry{entry(wanted[0], 0), entry(wanted[1], 0)}}, nil, 2},
		{"a newer version", &pb.ReconcileReply{Records: bytesOf(edit(t, rs[0], 1)), Entries: []*pb.PutEntry{entry(wanted[1], 0)}}, nil, 1},
		{"nothing", &pb.ReconcileReply{}, nil, 0},
		{"forged", &pb.ReconcileReply{Records: [][]byte{forged}, Entries: []*pb.PutEntry{entry(wanted[0], 0)}}, exchange.ErrProtocol, 0},
		{"another thing", &pb.ReconcileReply{Records: bytesOf(rs[1]), Entries: []*pb.PutEntry{entry(other[1], 0)}}, exchange.ErrProtocol, 0},
		{"at a place of another", &pb.ReconcileReply{Records: bytesOf(rs[0]), Entries: []*pb.PutEntry{entry(records.Put{Place: records.TagPlace("dogs")}, 0)}}, exchange.ErrProtocol, 0},
		{"at a place of its own that was not asked for", &pb.ReconcileReply{Records: bytesOf(rs[0]), Entries: []*pb.PutEntry{entry(wanted[2], 0)}}, exchange.ErrProtocol, 0},
		{"twice", &pb.ReconcileReply{Records: bytesOf(rs[0]), Entries: []*pb.PutEntry{entry(wanted[0], 0), entry(wanted[0], 0)}}, exchange.ErrProtocol, 0},
		{"no such record", &pb.ReconcileReply{Entries: []*pb.PutEntry{entry(wanted[0], 0)}}, exchange.ErrProtocol, 0},
		{"no place", &pb.ReconcileReply{Records: bytesOf(rs[0]), Entries: []*pb.PutEntry{{Place: []byte{1}}}}, exchange.ErrProtocol, 0},
		{"more records than wants", &pb.ReconcileReply{Records: bytesOf(rs[0], rs[1])}, exchange.ErrProtocol, 0},
		{"all left for later", &pb.ReconcileReply{Left: 1}, exchange.ErrProtocol, 0},
		{"more left than asked", &pb.ReconcileReply{Left: 1 << 31}, exchange.ErrProtocol, 0},
		{"an answer", &pb.ReconcileReply{Answer: []byte{0}}, exchange.ErrProtocol, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.script(t, 1, func(r *raw) {
					r.sendFrame(&pb.Reply{Id: r.request().GetId(), Body: &pb.Reply_Reconcile{Reconcile: c.reply}})
					r.drain()
				})
				puts, err := w.client(t, 0).Collect(t.Context(), w.id(1), everything, lacked)
				if !errors.Is(err, c.want) || len(puts) != c.puts {
					t.Errorf("%d puts, %v", len(puts), err)
				}
			})
		})
	}
}

// A peer that says of everything that it differs, for ever, or that claims what it
// does not have, ends in bounded time and blame, or in claims that nothing comes of.
func TestReconcile_hostileAnswers(t *testing.T) {
	claim := reconcile.Element{At: records.Coordinate{1}, Key: records.ItemKey{2}, ID: records.ID{3}}
	claimed := append([]byte{5, 1, 0}, slices.Concat(claim.At[:], claim.Key[:], claim.ID[:])...) // of all of the range: whole, one element
	for _, c := range []struct {
		name   string
		answer []byte
		want   error
		claims int
	}{
		{"nothing", nil, exchange.ErrProtocol, 0},
		{"not ranges", []byte("no ranges"), exchange.ErrProtocol, 0},
		{"the question itself", []byte{1, 5, 1, 2, 3, 4, 5, 6, 7, 8}, exchange.ErrProtocol, 0},
		{"that it agrees", []byte{0}, nil, 0},
		{"what it does not have", claimed, nil, 1},
		{"parts that differ, without end", []byte{1<<4 | 1, 1, 9, 1, 2, 3, 4, 5, 6, 7, 8, 1, 9, 1, 2, 3, 4, 5, 6, 7, 8}, exchange.ErrProtocol, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.script(t, 1, func(r *raw) {
					for req := r.request(); req != nil; req = r.request() {
						reply := &pb.ReconcileReply{Answer: c.answer}
						if len(req.GetReconcile().GetWants()) > 0 {
							reply = &pb.ReconcileReply{}
						}
						r.sendFrame(&pb.Reply{Id: req.GetId(), Body: &pb.Reply_Reconcile{Reconcile: reply}})
					}
				})
				client := w.client(t, 0)
				var found []reconcile.Difference
				_, err := client.Reconcile(t.Context(), w.id(1), everything, newHoldings(), reconcile.Start, func(some exchange.Found) error {
					found = append(found, some.Differences...)
					return nil
				})
				if !errors.Is(err, c.want) || len(found) != c.claims {
					t.Fatalf("%d claims, %v", len(found), err)
				}
				if puts, err := client.Collect(t.Context(), w.id(1), everything, found); err != nil || len(puts) > 0 {
					t.Errorf("%d puts came of claims: %v", len(puts), err)
				}
			})
		})
	}
}

// Whatever a peer hands over, each put is one that was asked for, or the peer is to
// blame.
func FuzzCollectReply(f *testing.F) {
	r := post(f, 1, 1, "cats")
	puts := everywhere(r)
	at := puts[1].Place.Coordinate()
	lacked := []reconcile.Difference{{At: at, Key: r.ItemKey(), Theirs: r.ID()}}
	f.Add(mustFrame(f, &pb.Reply{Id: 1, Prefix: 3, Body: &pb.Reply_Reconcile{Reconcile: &pb.ReconcileReply{
		Records: bytesOf(r), Entries: []*pb.PutEntry{{Place: puts[1].Place.Bytes()}},
	}}}))
	f.Add(mustFrame(f, &pb.Reply{Id: 1, Body: &pb.Reply_Reconcile{Reconcile: &pb.ReconcileReply{Left: 1, Answer: []byte{0}}}}))
	f.Fuzz(func(t *testing.T, sent []byte) {
		got, err := answerWith(t, sent, func(c *exchange.Client, w *world) ([]records.Put, error) {
			return c.Collect(context.Background(), w.id(1), everything, lacked)
		})
		if err != nil {
			mustBlame(t, err)
		}
		for _, p := range got {
			if p.Place.Coordinate() != at || p.Record.ItemKey() != r.ItemKey() {
				t.Fatalf("%s at %s was not asked for", p.Record.ID(), p.Place)
			}
		}
	})
}

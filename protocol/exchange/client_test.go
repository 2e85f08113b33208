package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// Whatever the order in which answers come and however they are cut into frames,
// every request gets its own, once, and all share one stream.
func TestClient_answersInAnyOrder(t *testing.T) {
	door := newDoor(t)
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(rt, "requests")
		frames := rapid.SliceOfN(rapid.IntRange(1, 3), n, n).Draw(rt, "frames of each answer")
		order := rapid.Permutation(turns(frames)).Draw(rt, "order of frames")
		w := newWorld(t, 2)
		w.script(t, 1, func(r *raw) { playOrder(r, n, slices.Clone(frames), order) })
		c := exchange.NewClient(exchange.ClientConfig{Host: w.hosts[0], Door: door})
		defer c.Close()
		var callers sync.WaitGroup
		for i := range n {
			callers.Go(func() { askInPieces(rt, c, w.id(1), i, frames[i]) })
		}
		callers.Wait()
		if opened := w.wire.opened(); opened != 1 {
			rt.Errorf("%d streams", opened)
		}
	})
}

// askInPieces asks for as many buckets as the answer will have frames. The peer
// refuses each with the name of the first.
func askInPieces(t *rapid.T, c *exchange.Client, p peer.ID, i, n int) {
	queries := queriesOf(i, n)
	answers, err := c.Fetch(context.Background(), p, queries)
	if err != nil || len(answers) != n {
		t.Errorf("request %d: %d answers, %v", i, len(answers), err)
		return
	}
	for _, a := range answers {
		var r *exchange.Refusal
		if !errors.As(a.Err, &r) || r.Sentence != queries[0].Place.String() {
			t.Errorf("request %d for %s: %v", i, queries[0].Place, a.Err)
		}
	}
}

func queriesOf(i, n int) (queries []records.Query) {
	for k := range n {
		queries = append(queries, newest(records.TagPlace(records.Tag(fmt.Sprintf("tag%dx%d", i, n*k))), n))
	}
	return queries
}

// turns names request i as often as its answer has frames.
func turns(frames []int) (out []int) {
	for i, n := range frames {
		for range n {
			out = append(out, i)
		}
	}
	return out
}

// playOrder reads n requests and answers them a frame at a time, in an order of
// requests by their number of queries.
func playOrder(r *raw, n int, frames, order []int) {
	requests := map[int][]*pb.Request{} // by number of queries
	for range n {
		m := r.request()
		k := len(m.GetFetch().GetQueries())
		requests[k] = append(requests[k], m)
	}
	mine := make([]*pb.Request, n)
	for i, k := range frames {
		mine[i], requests[k] = requests[k][0], requests[k][1:]
	}
	for _, i := range order {
		frames[i]--
		q := mine[i].GetFetch().GetQueries()
		place, err := records.ParsePlace(q[0].GetPlace())
		if err != nil {
			r.tb.Error(err)
			return
		}
		refusal := &pb.Refusal{Code: pb.Code_CODE_BUSY, Sentence: place.String()}
		r.sendFrame(&pb.Reply{Id: mine[i].GetId(), More: frames[i] > 0, Body: &pb.Reply_Fetch{Fetch: &pb.FetchReply{Buckets: []*pb.Bucket{{Refusal: refusal}}}}})
	}
	r.drain()
}

// An idle stream is closed, without a reset; the next request opens another.
func TestClient_idle(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, _ := w.pairUp(t)
		for want := 1; want <= 3; want++ {
			if _, err := c.Status(t.Context(), w.id(1)); err != nil || w.wire.opened() != want {
				t.Fatalf("%d streams opened, %v", w.wire.opened(), err)
			}
			elapse(protocol.ClientIdle / 2)
			if w.hosts[0].live() != 1 {
				t.Error("stream was closed too early")
			}
			elapse(protocol.ClientIdle)
			if w.hosts[0].live() != 0 || w.hosts[1].live() != 0 {
				t.Error("idle stream was not closed")
			}
		}
	})
}

// A stream on which nothing is under way costs either side the goroutine that reads it,
// and no more.
func TestClient_quiet(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, _ := w.pairUp(t)
		for range 3 {
			if _, err := c.Status(t.Context(), w.id(1)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			all := make([]byte, 1<<20)
			all = all[:runtime.Stack(all, true)]
			for what, want := range map[string]int{"exchange.(*conn).read(": 1, "exchange.(*session).read(": 1, "exchange.(*sender)": 0} {
				if got := bytes.Count(all, []byte(what)); got != want {
					t.Errorf("%d goroutines in %s, want %d", got, what, want)
				}
			}
		}
	})
}

// When a peer lost the stream meanwhile nobody notices; nor when it loses it at
// the very moment of the next request, unless that may have been sent.
func TestClient_reopens(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c, _, _ := w.pairUp(t)
		ask := func() error { _, err := c.Status(t.Context(), w.id(1)); return err }
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		w.hosts[0].disconnect()
		synctest.Wait()
		if err := ask(); err != nil {
			t.Errorf("stream died before: %v", err)
		}
		for _, k := range []struct {
			sent int
			want error
		}{{0, nil}, {1, exchange.ErrUnavailable}} {
			elapse(2 * protocol.ClientIdle) // the next stream is a new one
			var broken atomic.Pointer[breaking]
			w.hosts[0].wrap = func(s network.Stream) network.Stream {
				broken.Store(&breaking{Stream: s, sent: k.sent})
				return broken.Load()
			}
			if err := ask(); err != nil {
				t.Fatal(err)
			}
			w.hosts[0].wrap = nil
			broken.Load().armed.Store(true)
			opened := w.wire.opened()
			if err := ask(); !errors.Is(err, k.want) {
				t.Errorf("stream died with %d bytes of the request sent: %v, want %v", k.sent, err, k.want)
			}
			if again := w.wire.opened() - opened; (again == 1) != (k.want == nil) {
				t.Errorf("%d streams opened", again)
			}
		}
	})
}

// breaking is a stream whose writes fail once it is armed, after a few bytes.
type breaking struct {
	network.Stream
	sent  int
	armed atomic.Bool
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.armed.Load() {
		n, _ := b.Stream.Write(p[:b.sent])
		return n, errors.New("connection is gone")
	}
	return b.Stream.Write(p)
}

func TestClient_unreachable(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		c := w.client(t, 0)
		if _, err := c.Status(t.Context(), w.id(1)); !errors.Is(err, exchange.ErrUnavailable) {
			t.Errorf("nobody serves: %v", err)
		}
		w.hosts[0].dial = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		d := took(func() {
			if _, err := c.Status(t.Context(), w.id(1)); !errors.Is(err, exchange.ErrUnavailable) {
				t.Errorf("nobody is there: %v", err)
			}
		})
		if d != protocol.OpenTimeout {
			t.Errorf("took %s", d)
		}
		d = took(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := c.Status(ctx, w.id(1)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("for one second: %v", err)
			}
		})
		if d != time.Second {
			t.Errorf("took %s", d)
		}
	})
}

// A request that is not answered ends by its caller's time or ours. An answer that
// comes too late hurts nobody; one that never comes condemns the stream.
func TestClient_patience(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		w.script(t, 1, func(r *raw) {
			for m := r.request(); m != nil; m = r.request() {
				switch m.GetId() {
				case 1:
					id := m.GetId()
					time.AfterFunc(2*time.Second, func() { r.sendFrame(statusReply(id)) })
				case 3: // never
				default:
					r.sendFrame(statusReply(m.GetId()))
				}
			}
		})
		c := w.client(t, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Status(ctx, w.id(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after a second: %v", err)
		}
		elapse(3 * time.Second) // the late answer comes
		if s, err := c.Status(t.Context(), w.id(1)); err != nil || s.Records != 2 || w.wire.opened() != 1 {
			t.Errorf("after a late answer: %+v, %v, %d streams", s, err, w.wire.opened())
		}
		d := took(func() {
			if _, err := c.Status(t.Context(), w.id(1)); !errors.Is(err, exchange.ErrUnavailable) {
				t.Errorf("without an answer: %v", err)
			}
		})
		if d != protocol.RequestTimeout {
			t.Errorf("took %s", d)
		}
		for range 4 { // others are answered all the time
			if _, err := c.Status(t.Context(), w.id(1)); err != nil {
				t.Error(err)
			}
			elapse((protocol.AnswerTimeout - protocol.RequestTimeout) / 2)
		}
		elapse(protocol.AnswerTimeout)
		if n := w.wire.opened(); n != 2 {
			t.Errorf("%d streams: the one that left a request unanswered should have been given up", n)
		}
	})
}

// No more requests are in flight at one peer than it takes on. Those beyond wait,
// as long as they want to; other peers are not concerned.
func TestClient_backPressure(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		var received atomic.Int32
		release := make(chan struct{})
		w.script(t, 1, func(r *raw) {
			var held []uint64
			for len(held) < protocol.MaxInFlight {
				held = append(held, r.request().GetId())
				received.Add(1)
			}
			<-release
			for _, id := range held {
				r.sendFrame(statusReply(id))
			}
			for m := r.request(); m != nil; m = r.request() {
				received.Add(1)
				r.sendFrame(statusReply(m.GetId()))
			}
		})
		w.serve(t, 2, newMemory(t), region{})
		c := w.client(t, 0)
		var callers sync.WaitGroup
		for range protocol.MaxInFlight + 10 {
			callers.Go(func() {
				if _, err := c.Status(t.Context(), w.id(1)); err != nil {
					t.Error(err)
				}
			})
		}
		elapse(time.Second)
		if n := received.Load(); n != protocol.MaxInFlight {
			t.Errorf("%d requests in flight", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Status(ctx, w.id(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more: %v", err)
		}
		if _, err := c.Status(t.Context(), w.id(2)); err != nil {
			t.Errorf("another peer: %v", err)
		}
		close(release)
		callers.Wait()
		if n := received.Load(); n != protocol.MaxInFlight+10 {
			t.Errorf("%d requests received: the one whose caller left should not have been sent", n)
		}
	})
}

func TestClient_close(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.script(t, 1, (*raw).drain)
		w.hosts[0].dial = func(ctx context.Context) error {
			if w.wire.opened() == 1 {
				<-ctx.Done() // the second peer is still being dialled
			}
			return ctx.Err()
		}
		c := w.client(t, 0)
		var callers sync.WaitGroup
		for _, i := range []int{1, 2} {
			callers.Go(func() {
				if _, err := c.Status(t.Context(), w.id(i)); !errors.Is(err, exchange.ErrClosed) {
					t.Errorf("peer %d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		if d := took(c.Close); d != 0 {
			t.Errorf("took %s", d)
		}
		callers.Wait()
		if _, err := c.Status(t.Context(), w.id(1)); !errors.Is(err, exchange.ErrClosed) {
			t.Errorf("afterwards: %v", err)
		}
		c.Close()
	})
}

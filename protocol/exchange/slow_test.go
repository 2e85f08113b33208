package exchange_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// fullBuckets are the months of some authors, each as large as a bucket can be,
// in the store.
func fullBuckets(tb testing.TB, store *memory, authors int) (queries []records.Query) {
	for author := range authors {
		rs := largePosts(tb, author, 64)
		for _, r := range rs {
			store.state(month(r)).Merge(r)
		}
		queries = append(queries, newest(month(rs[0]), 64))
	}
	return queries
}

// A peer that asks and does not read is gone within the time of one write. What
// waits for it is bounded, and nobody else waits.
func TestServer_slowReader(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		store := newMemory(t)
		queries := fullBuckets(t, store, 4)
		s, _ := w.serve(t, 1, store, region{})
		r := w.dial(t, 0, 1)
		for id := range uint64(protocol.MaxInFlight) {
			r.sendFrame(fetchRequest(id+1, queries...))
		}
		elapse(time.Second)
		if n := s.ReplyBytes(w.id(0)); n == 0 || n > protocol.MaxReplyBytesPeer {
			t.Errorf("%d bytes wait for the slow reader", n)
		}
		c := w.client(t, 2)
		if d := took(func() {
			if _, err := c.Fetch(t.Context(), w.id(1), queries); err != nil {
				t.Error(err)
			}
		}); d != 0 {
			t.Errorf("an honest reader waited for %s", d)
		}
		elapse(protocol.FrameTime(protocol.MaxReplyBytesPeer))
		if n := w.hosts[0].live(); n != 0 {
			t.Error("the slow reader was not reset")
		}
		synctest.Wait()
		if n := s.ReplyBytesOfAll(); n != 0 {
			t.Errorf("%d bytes are still counted", n)
		}
	})
}

// Many peers together that do not read take all the room for large replies. Then
// buckets are refused as busy; acknowledgements, status and puts go on; and when
// the slow are gone all is as before.
func TestServer_manySlowReaders(t *testing.T) {
	const slow = protocol.MaxReplyBytesServer/(protocol.MaxReplyBytesPeer-protocol.MaxReply) + 1
	inBubble(t, 2+slow, func(t *testing.T, w *world) {
		store := newMemory(t)
		queries := fullBuckets(t, store, 4)
		w.serve(t, 1, store, region{})
		c := w.client(t, 0)
		for i := range slow {
			r := w.dial(t, 2+i, 1)
			for id := range uint64(protocol.MaxInFlight) {
				r.sendFrame(fetchRequest(id+1, queries...))
			}
		}
		elapse(time.Second)
		p := post(t, 1, 1)
		if d := took(func() { mustPut(t, c, w.id(1), records.Put{Place: month(p), Record: p}) }); d != 0 {
			t.Errorf("a put waited for %s", d)
		}
		d := took(func() {
			if _, err := c.Fetch(t.Context(), w.id(1), queries); code(err) != exchange.Busy {
				t.Errorf("a fetch: %v", err)
			}
		})
		if d != protocol.ReplyRoomWait {
			t.Errorf("was refused after %s", d)
		}
		elapse(protocol.FrameTime(protocol.MaxReplyBytesPeer))
		if _, err := c.Fetch(t.Context(), w.id(1), queries); err != nil {
			t.Errorf("when the slow are gone: %v", err)
		}
	})
}

// A reader that takes a little now and then has its answers in the end, as long as
// it keeps to the pace of a bad mobile connection.
func TestServer_slowButSteadyReader(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		store := newMemory(t)
		queries := fullBuckets(t, store, 4)
		w.serve(t, 1, store, region{})
		r := w.dial(t, 0, 1)
		r.sendFrame(fetchRequest(1, queries...))
		received, buf := 0, make([]byte, 64<<10)
		for received < 4*64*records.MaxText {
			n, err := r.Read(buf)
			if err != nil {
				t.Fatalf("after %d bytes: %v", received, err)
			}
			received += n
			elapse(time.Second)
		}
	})
}

// What is refused as busy says so for the request, and the stream goes on.
func TestClient_busy(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		w.script(t, 1, func(r *raw) {
			for m := r.request(); m != nil; m = r.request() {
				r.sendFrame(&pb.Reply{Id: m.GetId(), Body: &pb.Reply_Refusal{Refusal: &pb.Refusal{Code: pb.Code_CODE_BUSY, Sentence: "later"}}})
			}
		})
		c := w.client(t, 0)
		p := post(t, 1, 1)
		for range 3 {
			_, err := c.Put(t.Context(), w.id(1), everywhere(p))
			var r *exchange.Refusal
			if !errors.As(err, &r) || *r != (exchange.Refusal{Code: exchange.Busy, Sentence: "later"}) {
				t.Errorf("put: %v", err)
			}
			if _, err := c.Fetch(t.Context(), w.id(1), []records.Query{newest(month(p), 1)}); code(err) != exchange.Busy {
				t.Errorf("fetch: %v", err)
			}
		}
		if n := w.wire.opened(); n != 1 {
			t.Errorf("%d streams", n)
		}
	})
}

package exchange_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// The puts of one stream are handled at the same time, so that one commit of the
// store can carry them all; but no more than it takes on, nor those of one peer.
func TestServer_concurrentPuts(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		store := newMemory(t)
		var working atomic.Int32
		release := make(chan struct{})
		store.merged = func(context.Context) error { working.Add(1); <-release; return nil }
		w.serve(t, 1, store, region{})
		p := post(t, 1, 1)
		flood := func() *raw {
			r := w.dial(t, 0, 1)
			go func() {
				for id := range uint64(200) {
					r.sendFrame(putRequest(id+1, records.Put{Place: month(p), Record: p}))
				}
			}()
			elapse(time.Second)
			return r
		}
		streams := []*raw{flood()}
		if n := working.Load(); n != protocol.MaxInFlight {
			t.Errorf("%d puts of one stream in work", n)
		}
		streams = append(streams, flood(), flood(), flood())
		if n := working.Load(); n != protocol.MaxInFlightPeer {
			t.Errorf("%d puts of one peer in work", n)
		}
		if _, err := w.client(t, 2).Status(t.Context(), w.id(1)); err != nil {
			t.Errorf("another peer: %v", err)
		}
		close(release)
		for _, r := range streams {
			for range 200 {
				if r.reply().GetPut() == nil {
					t.Fatal("a put was not answered")
				}
			}
		}
	})
}

// One peer opens 10,000 streams and stalls on each. It holds a few, and an honest
// peer is served as if nothing were.
func TestServer_tenThousandStreams(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		c := w.client(t, 2)
		before := runtime.NumGoroutine()
		half := mustFrame(t, statusRequest(1))[:2]
		for range 10_000 {
			s, err := w.hosts[0].NewStream(t.Context(), w.id(1), protocol.ExchangeID(net(t)))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = s.Write(half)
		}
		synctest.Wait()
		if n := w.hosts[1].live(); n != protocol.MaxStreamsPeer {
			t.Errorf("%d streams are open", n)
		}
		if n := runtime.NumGoroutine() - before; n > 10*protocol.MaxStreamsPeer {
			t.Errorf("%d goroutines", n)
		}
		if d := took(func() {
			if _, err := c.Status(t.Context(), w.id(1)); err != nil {
				t.Error(err)
			}
		}); d != 0 {
			t.Errorf("an honest peer waited for %s", d)
		}
		elapse(time.Minute)
		if n := w.hosts[0].live(); n != 0 {
			t.Errorf("after a minute %d stalled streams are open", n)
		}
	})
}

// A peer that puts what no honest node would is shut out for a while; others, and
// those who are merely mistaken, are not.
func TestServer_offences(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		ahead := postAt(t, net(t), 1, 1, records.MillisOf(time.Now().Add(time.Hour)))
		honest := w.client(t, 2)
		for range 2 * protocol.MaxOffences {
			if _, err := honest.Put(t.Context(), w.id(1), []records.Put{{Place: month(ahead), Record: ahead}}); err != nil {
				t.Fatal(err)
			}
		}
		r := w.dial(t, 0, 1)
		req := putRequest(1, records.Put{Place: month(ahead), Record: ahead})
		req.GetPut().Records[0] = damaged(post(t, 1, 1))
		answered := 0
		for id := range uint64(2 * protocol.MaxOffences) {
			req.Id = id + 1
			if r.sendFrame(req); r.reply() == nil {
				break
			}
			answered++
		}
		if answered != protocol.MaxOffences {
			t.Errorf("%d forged records before the stream was reset", answered)
		}
		_, told := w.offenders.Load(w.id(0))
		_, slandered := w.offenders.Load(w.id(2))
		if !told || slandered {
			t.Errorf("the offender is named: %v, who is merely mistaken: %v", told, slandered)
		}
		if again := w.dial(t, 0, 1); again.sendFrame(statusRequest(1)) && again.reply() != nil {
			t.Error("the offender was let in again")
		}
		if _, err := honest.Status(t.Context(), w.id(1)); err != nil {
			t.Errorf("another peer: %v", err)
		}
		elapse(protocol.OffenceWindow + time.Second)
		if r := w.dial(t, 0, 1); !r.sendFrame(statusRequest(1)) || r.reply().GetStatus() == nil {
			t.Error("the offender was not let in after the window")
		}
	})
}

// A server that ends resets every stream, and touches the store no more.
func TestServer_stops(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		store := newMemory(t)
		var inside, after atomic.Bool
		store.merged = func(ctx context.Context) error {
			inside.Store(true)
			<-ctx.Done()
			return ctx.Err()
		}
		_, stop := w.serve(t, 1, store, region{})
		c := w.client(t, 0)
		p := post(t, 1, 1)
		var caller sync.WaitGroup
		caller.Go(func() {
			_, err := c.Put(t.Context(), w.id(1), []records.Put{{Place: month(p), Record: p}})
			if !errors.Is(err, exchange.ErrUnavailable) {
				t.Errorf("in flight: %v", err)
			}
		})
		idle := w.dial(t, 0, 1)
		synctest.Wait()
		if d := took(stop); d != 0 {
			t.Errorf("took %s", d)
		}
		store.merged = func(context.Context) error { after.Store(true); return nil }
		caller.Wait()
		idle.drain()
		if _, err := c.Put(t.Context(), w.id(1), []records.Put{{Place: month(p), Record: p}}); !errors.Is(err, exchange.ErrUnavailable) {
			t.Errorf("afterwards: %v", err)
		}
		if !inside.Load() || after.Load() {
			t.Errorf("store touched before %t, after %t", inside.Load(), after.Load())
		}
	})
}

package gossip_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/gossip"
	"github.com/starling-social/starling/records"
)

// slowTo makes what is sent to a node slow.
func slowTo(node int, bytesPerSecond int) func(from, to int) nodetest.Link {
	return func(_, to int) nodetest.Link {
		l := nodetest.Link{Latency: 20 * time.Millisecond}
		if to == node {
			l.Bandwidth = bytesPerSecond
		}
		return l
	}
}

// pour has a member announce n posts, 64 at a time, and returns what it announced and how long it took.
func (w *world) pour(m *member, n int) (posts []*records.Record, took time.Duration) {
	w.Helper()
	for i := range n {
		posts = append(posts, w.post(m, fmt.Sprint(i), birds))
	}
	began := time.Now()
	var wg sync.WaitGroup
	next := make(chan *records.Record)
	for range 64 {
		wg.Go(func() {
			for r := range next {
				if err := m.Announce(w.Context(), r); err != nil {
					w.Error(err)
				}
			}
		})
	}
	for _, r := range posts {
		next <- r
	}
	close(next)
	wg.Wait()
	return posts, time.Since(began)
}

// The only relay takes 20 KB a second, and an author has ten times as much to say. The author is slowed to that, and
// nothing is lost.
func TestPressure_slowsTheAuthor(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{Link: slowTo(1, 20_000), Window: 16 << 10}, func(w *world) {
		w.relayed(only(2, birds))
		w.add(2)
		w.weave(0)
		posts, took := w.pour(w.members[0], 1000)
		if took < 8*time.Second {
			t.Errorf("announced in %s", took)
		}
		if s := w.members[0].Stats(); s.Unsent != 0 {
			t.Errorf("lost on the way out: %+v", s)
		}
		elapse(time.Minute)
		if s := w.members[1].Stats(); s.Delivered != uint64(len(posts)) || s.Unchecked != 0 {
			t.Errorf("of %d posts: %+v", len(posts), s)
		}
	})
}

// One of a dozen relays takes next to nothing. It does not hold up the posts of everybody else for longer than a moment
// each, and who is connected to others hears all.
func TestPressure_oneSlowRelay(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{Link: slowTo(3, 2_000), Window: 16 << 10}, func(w *world) {
		relays := size(12, 8)
		w.relayed(only(relays, birds))
		w.add(relays)
		w.weave(4)
		e := w.listen(w.members[7], birds)
		began := time.Now()
		for range 16 {
			_, _ = w.pour(w.members[0], 50)
			elapse(500 * time.Millisecond)
		}
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("one slow relay held up 800 posts for %s", took)
		}
		elapse(5 * time.Second)
		if e.all() != 800 || e.missed != 0 {
			t.Errorf("heard %d and missed %d of 800", e.all(), e.missed)
		}
	})
}

// The only relay stands still. The author is told, in bounded time; and at once when its context ends.
func TestPressure_tellsTheAuthor(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(2, birds))
		w.add(2)
		w.weave(0)
		w.links.Pause(1)
		var err error
		var took time.Duration
		for i := 0; err == nil && i < 10_000; i++ {
			r := w.post(w.members[0], fmt.Sprint(i), birds)
			began := time.Now()
			err = w.members[0].Announce(w.Context(), r)
			took = time.Since(began)
		}
		if !errors.Is(err, gossip.ErrBusy) || took > gossip.RoomForHalf+time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if s := w.members[0].Stats(); s.Unsent != 0 || s.Full != 1 {
			t.Errorf("lost without a word: %+v", s)
		}
		ctx, cancel := context.WithTimeout(w.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		err = w.members[0].Announce(ctx, w.post(w.members[0], "last", birds))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// Ten authors pour out as much as they can at once, on links that carry it late. Everybody hears everything.
func TestPressure_manyAuthors(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(10, birds))
		w.add(10)
		w.weave(9)
		var ears []*ear
		for _, m := range w.members {
			ears = append(ears, w.listen(m, birds))
		}
		each := size(100, 30)
		all := each * len(w.members)
		var wg sync.WaitGroup
		for _, m := range w.members {
			wg.Go(func() { w.pour(m, each) })
		}
		wg.Wait()
		elapse(10 * time.Second)
		for i, e := range ears {
			if e.all()+e.missed != all {
				t.Errorf("ear %d heard %d and missed %d of %d: %+v", i, e.all(), e.missed, all, w.members[i].Stats())
			}
		}
	})
}

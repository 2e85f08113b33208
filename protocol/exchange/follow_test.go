package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// ear follows on a goroutine of its own and keeps what it hears.
type ear struct {
	end   context.CancelFunc
	ended sync.WaitGroup
	wait  atomic.Pointer[chan struct{}] // if set, each arrival waits for it

	mu    sync.Mutex // protects what follows
	heard []exchange.Arrival
	err   error
}

func listen(t *testing.T, arrivals func(context.Context) iter.Seq2[exchange.Arrival, error]) *ear {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e := &ear{end: cancel}
	e.ended.Go(func() {
		for a, err := range arrivals(ctx) {
			if w := e.wait.Load(); w != nil {
				<-*w
			}
			e.mu.Lock()
			e.err = err
			if err == nil {
				e.heard = append(e.heard, a)
			}
			e.mu.Unlock()
		}
	})
	t.Cleanup(func() { cancel(); e.ended.Wait() })
	synctest.Wait()
	return e
}

// follow listens to roots from now on, as host i at host j.
func (w *world) follow(t *testing.T, i, j int, roots ...records.Place) *ear {
	t.Helper()
	c := w.client(t, i)
	return listen(t, func(ctx context.Context) iter.Seq2[exchange.Arrival, error] {
		return c.Follow(ctx, w.id(j), marks(roots...))
	})
}

func marks(roots ...records.Place) (from []exchange.Mark) {
	for _, r := range roots {
		from = append(from, exchange.Mark{Root: r})
	}
	return from
}

// take returns what was heard since the last time, gaps as nil records, and how
// the following ended, if it did. Marks are left out.
func (e *ear) take() (rs []*records.Record, err error) {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range e.heard {
		if a.Record != nil || a.Gap {
			rs = append(rs, a.Record)
		}
	}
	e.heard = nil
	return rs, e.err
}

// mustHear checks what was heard since the last time.
func (e *ear) mustHear(t *testing.T, what string, want ...*records.Record) {
	t.Helper()
	got, err := e.take()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !slices.EqualFunc(got, want, sameRecord) {
		t.Fatalf("%s: heard %s, want %s", what, names(got), names(want))
	}
}

func sameRecord(a, b *records.Record) bool {
	return a == nil && b == nil || a != nil && b != nil && a.ID() == b.ID()
}

func names(rs []*records.Record) (out []string) {
	for _, r := range rs {
		name := "gap"
		if r != nil {
			name = r.ID().String()[:8]
		}
		out = append(out, name)
	}
	return out
}

// putAtRoot puts records to their author's root, one frame each.
func putAtRoot(t *testing.T, c *exchange.Client, w *world, rs ...*records.Record) {
	t.Helper()
	for _, r := range rs {
		mustPut(t, c, w.id(1), records.Put{Place: records.UserPlace(r.Author()), Record: r})
	}
	synctest.Wait()
}

// A follower hears every version that comes to a root, once, whether or not the
// root's bucket keeps it; and nothing of other places.
func TestFollow_hearsEachVersionOnce(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		a, b := w.client(t, 0), w.client(t, 2)
		r, other := post(t, 1, 1, "cats"), post(t, 2, 1)
		putAtRoot(t, a, w, r)
		e := w.follow(t, 3, 1, records.UserPlace(r.Author()), records.TagPlace("cats"))
		e.mustHear(t, "what was there before")
		putAtRoot(t, a, w, post(t, 1, 2))
		e.mustHear(t, "a post", post(t, 1, 2))
		putAtRoot(t, b, w, post(t, 1, 2))
		e.mustHear(t, "the same from another peer")
		putAtRoot(t, b, w, edit(t, r, 1))
		e.mustHear(t, "an edit", edit(t, r, 1))
		gone := seal(t, net(t), 1, records.Tombstone(r, noon+5000))
		putAtRoot(t, b, w, gone, gone)
		e.mustHear(t, "a deletion, twice", gone)
		putAtRoot(t, a, w, other)
		mustPut(t, a, w.id(1), records.Put{Place: month(other), Record: other}, records.Put{Place: month(r), Record: post(t, 1, 3)})
		e.mustHear(t, "another's post, and one at its month alone")
		both := post(t, 1, 4, "cats")
		mustPut(t, a, w.id(1), everywhere(both)...)
		e.mustHear(t, "a post at both roots", both, both)
	})
}

// The first thing that a follower hears, before any record, is that it follows.
func TestFollow_marksFirst(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{bits: 0})
		c := w.client(t, 0)
		roots := marks(records.TagPlace("a"), records.TagPlace("b"))
		n := 0
		for a, err := range c.Follow(t.Context(), w.id(1), roots) {
			if err != nil || a.Record != nil || a.Gap || a.Mark.Root != roots[n].Root || a.Mark.Epoch == 0 {
				t.Fatalf("%+v, %v", a, err)
			}
			if n++; n == len(roots) {
				break
			}
		}
		synctest.Wait()
		if n := w.hosts[0].live(); n != 0 {
			t.Error("the stream outlived the loop")
		}
	})
}

// A broken stream is resumed where it broke: nothing missed, nothing twice. Only
// when more came than the server remembers, or when it has forgotten, is there a gap.
func TestFollow_resumes(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		_, stop := w.serve(t, 1, newMemory(t), region{})
		rs := posts(t, 1, protocol.MaxArrivals+20)
		c := w.client(t, 2)
		e := w.follow(t, 0, 1, records.UserPlace(rs[0].Author()))
		putAtRoot(t, c, w, rs[:5]...)
		e.mustHear(t, "before", rs[:5]...)

		many := rs[15:]
		for _, k := range []struct {
			name       string
			come, want []*records.Record
		}{
			{"a few", rs[5:15], rs[5:15]},
			{"more than are remembered", many, append([]*records.Record{nil}, many[len(many)-protocol.MaxArrivals:]...)},
		} {
			w.hosts[0].dial = failOnce()
			w.hosts[0].disconnect()
			synctest.Wait()
			putAtRoot(t, c, w, k.come...)
			e.mustHear(t, "while away")
			elapse(2 * time.Second)
			e.mustHear(t, k.name, k.want...)
		}

		stop()
		_, _ = w.serve(t, 1, newMemory(t), region{})
		elapse(5 * time.Second)
		e.mustHear(t, "after the server's restart", nil)
		late := post(t, 1, 1000)
		putAtRoot(t, w.client(t, 2), w, late)
		e.mustHear(t, "and then", late)
	})
}

// failOnce fails the first dial, so that the next comes a second later.
func failOnce() func(context.Context) error {
	var failed atomic.Bool
	return func(context.Context) error {
		if failed.Swap(true) {
			return nil
		}
		return errors.New("no route")
	}
}

// A slow follower holds nobody up. It is told of a gap and hears the latest.
func TestFollow_slowFollower(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		large := largePosts(t, 1, 200)
		more := largePosts(t, 1, 200+2*protocol.MaxArrivals)[200:]
		root := records.UserPlace(large[0].Author())
		slow, quick := w.follow(t, 0, 1, root), w.follow(t, 3, 1, root)
		hold := make(chan struct{})
		slow.wait.Store(&hold)
		c := w.client(t, 2)
		if d := took(func() { putAtRoot(t, c, w, slices.Concat(large, more)...) }); d != 0 {
			t.Errorf("puts waited for %s", d)
		}
		quick.mustHear(t, "the quick one", slices.Concat(large, more)...)
		close(hold)
		got, err := slow.take()
		if err != nil || len(got) < protocol.MaxArrivals || !sameRecord(got[len(got)-1], more[len(more)-1]) {
			t.Fatalf("the slow one heard %d, %v", len(got), err)
		}
		if !slices.Contains(got, nil) {
			t.Error("the slow one was told of no gap")
		}
	})
}

// A follower that does not read for long is cut off, and resumes when it does.
func TestFollow_stalledFollower(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		large := largePosts(t, 1, 200)
		e := w.follow(t, 0, 1, records.UserPlace(large[0].Author()))
		hold := make(chan struct{})
		e.wait.Store(&hold)
		putAtRoot(t, w.client(t, 2), w, large...)
		elapse(2 * protocol.FrameTime(protocol.FollowBatchBytes))
		if n := w.hosts[1].live(); n > 1 {
			t.Errorf("the stalled follower was not cut off: %d streams", n)
		}
		close(hold)
		elapse(time.Second)
		e.mustHear(t, "resumed", large...)
	})
}

// A quiet stream stays for as long as it is followed; a silent peer is noticed.
func TestFollow_keepAlive(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		w.script(t, 2, (*raw).drain)
		root := records.UserPlace(person(1).User())
		alive, silent := w.follow(t, 0, 1, root), w.follow(t, 0, 2, root)
		elapse(time.Hour)
		if opened := w.wire.opened(); opened != 1+1+protocol.FollowReopenLimit {
			t.Errorf("%d streams opened", opened)
		}
		if _, err := silent.take(); !errors.Is(err, exchange.ErrUnavailable) {
			t.Errorf("silent peer: %v", err)
		}
		r := post(t, 1, 1)
		putAtRoot(t, w.client(t, 3), w, r)
		alive.mustHear(t, "after an hour", r)
	})
}

// changing is a region that a test moves.
type changing struct{ now atomic.Pointer[region] }

func (c *changing) Prefix() int                      { return c.now.Load().Prefix() }
func (c *changing) Narrowed() int                    { return c.now.Load().Narrowed() }
func (c *changing) Holds(at records.Coordinate) bool { return c.now.Load().Holds(at) }

// A follower is told when a root is no longer held where it listens.
func TestFollow_membersOnly(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		root := records.UserPlace(person(1).User())
		here, elsewhere := region{bits: 5, of: root.Coordinate()}, region{bits: 5, of: root.Coordinate()}
		elsewhere.of[0] ^= 0x80
		r := &changing{}
		r.now.Store(&elsewhere)
		w.serve(t, 1, newMemory(t), r)
		if _, err := w.follow(t, 0, 1, root).take(); code(err) != exchange.NotAMember {
			t.Errorf("not a member: %v", err)
		}
		r.now.Store(&here)
		e := w.follow(t, 0, 1, root)
		elapse(time.Minute)
		e.mustHear(t, "a member")
		r.now.Store(&elsewhere)
		elapse(protocol.FollowKeepAlive)
		if _, err := e.take(); code(err) != exchange.NotAMember {
			t.Errorf("no longer a member: %v", err)
		}
	})
}

// One peer cannot take all the room for followers.
func TestFollow_bounded(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		refused := 0
		for i := range protocol.MaxFollowsPeer + 3 {
			if _, err := w.follow(t, 0, 1, records.TagPlace(records.Tag(fmt.Sprintf("tag%d", i)))).take(); err != nil {
				if code(err) != exchange.Busy {
					t.Error(err)
				}
				refused++
			}
		}
		if refused != 3 {
			t.Errorf("%d were refused", refused)
		}
		w.follow(t, 2, 1, records.TagPlace("tag")).mustHear(t, "another peer")
		if _, err := w.client(t, 0).Status(t.Context(), w.id(1)); err != nil {
			t.Errorf("a request of the same peer: %v", err)
		}
	})
}

// While it follows a peer has nothing to say.
func TestFollow_talkativeFollower(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		r := w.dial(t, 0, 1)
		r.sendFrame(followRequest(records.TagPlace("a")))
		if m := r.reply(); len(m.GetFollow().GetArrivals()) != 1 {
			t.Fatalf("got %v", m)
		}
		r.sendFrame(statusRequest(2))
		if m := r.reply(); m != nil {
			t.Errorf("got %v", m)
		}
	})
}

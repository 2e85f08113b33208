package node

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// ears hear followed users and mentions: for each, followMembers of those who hold
// its root tell us what arrives there. A member is listened to for all the roots it
// tells of on as few streams as possible, because it grants each peer only some.
type ears struct {
	*hearing

	streams map[ear]*stream
	failed  map[peer.ID]time.Time // who could not be listened to, and when
	ended   chan *stream          // streams that broke
	running sync.WaitGroup

	marking sync.Mutex // protects marks
	marks   map[standing]exchange.Mark
}

// An ear is one stream from one member; several have numbers.
type ear struct {
	member peer.ID
	number int
}

// A stream is what an ear hears.
type stream struct {
	ear
	roots  []records.Place // in order of their bytes
	cancel context.CancelFunc
	over   chan struct{} // closed when it has ended
}

// A standing is a root at a member, where we have heard up to some mark.
type standing struct {
	member peer.ID
	root   records.Place
}

const (
	earsLookups = 32               // neighbourhoods looked up at once
	earsShun    = 30 * time.Second // how long others are preferred to a member that could not be listened to
)

func newEars(h *hearing) *ears {
	return &ears{
		hearing: h, streams: map[ear]*stream{}, failed: map[peer.ID]time.Time{}, ended: make(chan *stream),
		marks: map[standing]exchange.Mark{},
	}
}

// run listens until ctx ends. Whom to listen to is looked at when something
// changes, and every followReview.
func (e *ears) run(ctx context.Context) {
	defer e.running.Wait()
	t := time.NewTicker(followReview)
	defer t.Stop()
	for {
		e.settle(ctx)
		select {
		case <-e.reviews:
		case s := <-e.ended:
			e.failed[s.member] = time.Now()
			if e.streams[s.ear] == s {
				delete(e.streams, s.ear)
			}
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// settle brings the streams up to what is followed and who holds it.
func (e *ears) settle(ctx context.Context) {
	want := e.assign(ctx)
	if ctx.Err() != nil {
		return
	}
	gone := e.lost()
	for at, s := range e.streams {
		if !slices.Equal(s.roots, want[at]) || gone[at.member] {
			s.cancel()
			<-s.over
			delete(e.streams, at)
		}
	}
	e.forget(want)
	for at, roots := range want {
		if e.streams[at] == nil {
			e.start(ctx, at, roots)
		}
	}
}

// lost takes those whose connection was lost since it was last asked.
func (e *ears) lost() map[peer.ID]bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	gone := e.gone
	e.gone = map[peer.ID]bool{}
	return gone
}

// assign says on which stream each root is heard.
func (e *ears) assign(ctx context.Context) map[ear][]records.Place {
	chosen := e.choose(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	byMember := map[peer.ID][]records.Place{}
	for root, members := range chosen {
		w := e.ways[root]
		if w == nil {
			continue
		}
		listening := map[peer.ID]bool{}
		for _, m := range members {
			listening[m] = w.ears[m]
			byMember[m] = append(byMember[m], root)
		}
		if !maps.Equal(listening, w.ears) {
			w.ears = listening
			e.anew(root)
		}
	}
	want := map[ear][]records.Place{}
	for m, roots := range byMember {
		slices.SortFunc(roots, func(p, q records.Place) int { return bytes.Compare(p.Bytes(), q.Bytes()) })
		for i, chunk := range slices.Collect(slices.Chunk(roots, protocol.MaxRoots)) {
			want[ear{m, i}] = chunk
		}
	}
	return want
}

// choose says who is listened to for each root.
func (e *ears) choose(ctx context.Context) map[records.Place][]peer.ID {
	var mu sync.Mutex // protects chosen
	chosen := map[records.Place][]peer.ID{}
	var g errgroup.Group
	g.SetLimit(earsLookups)
	for root, now := range e.present() {
		g.Go(func() error {
			members, err := e.node.members(ctx, root)
			if err != nil {
				members = nil
			}
			mu.Lock()
			defer mu.Unlock()
			chosen[root] = e.prefer(now, members)
			return nil
		})
	}
	_ = g.Wait() // a root without members has no ears, and is looked at again
	return chosen
}

// present is who is listened to now, by root.
func (e *ears) present() map[records.Place][]peer.ID {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[records.Place][]peer.ID{}
	for root, w := range e.ways {
		if !w.tag {
			out[root] = slices.Collect(maps.Keys(w.ears))
		}
	}
	return out
}

// prefer chooses among members: ourselves, who cost nothing, then those whom we
// listen to already, then the nearest, which are others for each root.
func (e *ears) prefer(now, members []peer.ID) []peer.ID {
	rank := func(m peer.ID) int {
		switch {
		case m == e.node.host.ID():
			return 0
		case time.Since(e.failed[m]) < earsShun:
			return 3
		case slices.Contains(now, m):
			return 1
		default:
			return 2
		}
	}
	members = slices.Clone(members)
	slices.SortStableFunc(members, func(p, q peer.ID) int { return rank(p) - rank(q) })
	return members[:min(len(members), followMembers)]
}

// forget drops what is not listened to any more.
func (e *ears) forget(want map[ear][]records.Place) {
	maps.DeleteFunc(e.failed, func(_ peer.ID, at time.Time) bool { return time.Since(at) >= earsShun })
	wanted := map[standing]bool{}
	for at, roots := range want {
		for _, root := range roots {
			wanted[standing{at.member, root}] = true
		}
	}
	e.marking.Lock()
	defer e.marking.Unlock()
	maps.DeleteFunc(e.marks, func(s standing, _ exchange.Mark) bool { return !wanted[s] })
}

// start listens on one stream until it is cancelled or breaks.
func (e *ears) start(ctx context.Context, at ear, roots []records.Place) {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{ear: at, roots: roots, cancel: cancel, over: make(chan struct{})}
	e.streams[at] = s
	e.running.Go(func() {
		defer cancel()
		err := e.listen(ctx, s)
		close(s.over)
		if ctx.Err() != nil {
			return
		}
		for _, root := range roots {
			e.heard(root, at.member, false)
		}
		e.node.unreachable(at.member, err)
		e.node.voices.follow.Debug("listen to a member", "peer_id", at.member, "roots", len(roots), "err", err)
		wait(ctx, followRetry)
		select {
		case e.ended <- s:
		case <-ctx.Done():
		}
	})
}

var errDeaf = errors.New("the member tells nothing more")

// listen hears what arrives at one member after what we have heard from it.
func (e *ears) listen(ctx context.Context, s *stream) error {
	for a, err := range e.node.followFrom(ctx, s.member, e.from(s)) {
		switch {
		case err != nil:
			return err
		case a.Record != nil:
			if !e.hear(ctx, a.Mark.Root, a.Record) {
				return ctx.Err() // it comes again when we go on from the mark before it
			}
		default:
			e.heard(a.Mark.Root, s.member, true)
			if a.Gap {
				e.missed(a.Mark.Root, 1)
			}
		}
		e.note(s.member, a.Mark)
	}
	return errDeaf
}

// from is where a stream goes on.
func (e *ears) from(s *stream) (from []exchange.Mark) {
	e.marking.Lock()
	defer e.marking.Unlock()
	for _, root := range s.roots {
		m := e.marks[standing{s.member, root}]
		m.Root = root
		from = append(from, m)
	}
	return from
}

func (e *ears) note(member peer.ID, m exchange.Mark) {
	e.marking.Lock()
	defer e.marking.Unlock()
	e.marks[standing{member, m.Root}] = m
}

// heard notes whether a member tells what arrives at a root. One that went on
// where it had stopped, without a gap, has told everything.
func (e *ears) heard(root records.Place, member peer.ID, is bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.ways[root]
	if w == nil {
		return
	}
	if was, listening := w.ears[member]; listening && was != is {
		w.ears[member] = is
		e.anew(root)
	}
}

package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/records"
)

// Event is one post that a watcher sees, or a gap.
type Event struct {
	Record *records.Record // nil for a gap
	Live   bool            // it arrived while watching; false for what was there
	Missed int             // of a gap: posts that came faster than they were taken, at least
}

// Limits of watching.
const (
	MaxSources = 256 // timelines in one watch
	watchPast  = 50  // newest posts shown first
	watchPages = 20  // of as many, that are looked through for what was not heard
	watchQueue = 1024
	watchSeen  = 8192 // ids by which a second arrival is known

	// Listening starts a little after it was asked for, and a relay may fall silent:
	// the buckets are asked for what was not heard, soon after the start and then
	// now and then.
	watchFirstCheck = 3 * time.Second
	watchCheck      = time.Minute
	followRetry     = time.Second
	followReview    = 5 * time.Second // how often it is asked whether the member followed still is one
	followMembers   = 2               // members followed for one root: one may be silent
)

// Watch yields the newest posts of several timelines, newest first, and then what
// arrives, in order of arrival, each version once, until ctx ends or limit posts
// were seen; 0 is no limit. Hashtags are heard by gossip; users and threads by
// streams from members of their roots. A consumer that is too slow gets an Event
// with Missed set, and the network does not wait for it.
func (n *Node) Watch(ctx context.Context, sources []Source, limit int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		w, err := n.newWatcher(ctx, sources, limit)
		if err != nil {
			cancel()
			yield(Event{}, err)
			return
		}
		defer func() {
			cancel()
			_ = w.listeners.Wait() // they end with ctx and have told their errors
		}()
		w.run(ctx, yield)
	}
}

// watcher is one call of Watch.
type watcher struct {
	node  *Node
	list  *followList // whose roots are watched, of a watch at home; else nil
	roots []records.Place
	left  int // posts that may still be yielded; negative for no limit
	seen  *lru.Cache[records.ID, struct{}]
	since records.Millis // when the watch began

	listeners *errgroup.Group
	arrived   chan *records.Record
	missed    chan int        // capacity 1: gaps that came together are added up
	doubts    chan struct{}   // capacity 1
	changed   <-chan struct{} // closed when list is another
}

func (n *Node) newWatcher(ctx context.Context, sources []Source, limit int) (*watcher, error) {
	if len(sources) == 0 || len(sources) > MaxSources {
		return nil, fmt.Errorf("watch %d timelines: want 1 to %d", len(sources), MaxSources)
	}
	w, err := n.emptyWatcher(limit)
	if err != nil {
		return nil, err
	}
	var tags []records.Tag
	for _, s := range sources {
		root, _, err := n.resolve(ctx, s)
		if err != nil {
			return nil, err
		}
		w.roots = append(w.roots, root)
		if s.kind == ofTag {
			tags = append(tags, s.tag)
			continue
		}
		for slot := range followMembers {
			w.listeners.Go(func() error { w.follow(ctx, root, slot); return nil })
		}
	}
	return w, w.listen(ctx, tags)
}

// emptyWatcher watches nothing yet.
func (n *Node) emptyWatcher(limit int) (*watcher, error) {
	seen, err := lru.New[records.ID, struct{}](watchSeen)
	if err != nil {
		return nil, err
	}
	w := &watcher{
		node: n, left: limit, seen: seen, since: records.MillisOf(n.now()), listeners: &errgroup.Group{},
		arrived: make(chan *records.Record, watchQueue), missed: make(chan int, 1),
		doubts: make(chan struct{}, 1),
	}
	if limit <= 0 {
		w.left = -1
	}
	return w, nil
}

// listen hears hashtags.
func (w *watcher) listen(ctx context.Context, tags []records.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	heard, err := w.node.gossip.Subscribe(ctx, tags...)
	if err != nil {
		return fmt.Errorf("listen to hashtags: %w", err)
	}
	w.listeners.Go(func() error {
		for e := range heard.Events() {
			w.hear(e.Record, e.Missed)
		}
		return nil
	})
	return nil
}

// follow hears a user or a thread from a member of its root, and from the next one
// when that goes or is a member no longer. Several followers of one root begin at
// different members.
func (w *watcher) follow(ctx context.Context, root records.Place, slot int) {
	for ; ctx.Err() == nil; slot++ {
		members, err := w.node.members(ctx, root)
		if err == nil {
			member := w.node.readOrder(members)[slot%len(members)]
			err = w.followAt(ctx, member, root)
		}
		if ctx.Err() == nil {
			w.node.voices.follow.Debug("follow", "place", root, "err", err)
			wait(ctx, followRetry)
			w.doubt()
		}
	}
}

// followAt hears what arrives at one member, until it fails or is none any more.
func (w *watcher) followAt(ctx context.Context, member peer.ID, root records.Place) error {
	ctx, cancel := context.WithCancel(ctx)
	var review sync.WaitGroup
	review.Go(func() {
		defer cancel()
		w.awaitMove(ctx, member, root)
	})
	defer review.Wait()
	defer cancel()
	for a, err := range w.node.follow(ctx, member, root) {
		switch {
		case ctx.Err() != nil:
			return errMoved
		case err != nil:
			w.node.unreachable(member, err)
			return err
		case a.Record != nil:
			w.hear(a.Record, 0)
		case a.Gap:
			w.hear(nil, 1)
		}
	}
	return errMoved
}

var errMoved = errors.New("the member followed holds this place no longer")

// awaitMove returns when member is no longer one of those who hold root.
func (w *watcher) awaitMove(ctx context.Context, member peer.ID, root records.Place) {
	for {
		wait(ctx, followReview)
		if ctx.Err() != nil {
			return
		}
		members, err := w.node.members(ctx, root)
		if err == nil && !slices.Contains(members, member) {
			return
		}
	}
}

// doubt has the buckets checked soon: something may not have been heard.
func (w *watcher) doubt() {
	select {
	case w.doubts <- struct{}{}:
	default:
	}
}

// hear queues a record, or a gap when the queue is full.
func (w *watcher) hear(r *records.Record, missed int) {
	if r != nil {
		select {
		case w.arrived <- r:
		default:
			missed++
		}
	}
	for missed > 0 {
		select {
		case w.missed <- missed:
			missed = 0
		case m := <-w.missed:
			missed += m
		}
	}
}

// run yields the past, then what arrives.
func (w *watcher) run(ctx context.Context, show func(Event, error) bool) {
	defer w.node.metrics.watching()()
	ctx, span := w.node.span(ctx, "watch")
	var past, live, missed int
	defer func() {
		end(span, "", tallied{"timelines", len(w.roots)}, tallied{"past", past}, tallied{"live", live}, tallied{"missed", missed})
	}()
	yield := func(e Event, err error) bool {
		switch {
		case err != nil:
			return show(e, err)
		case e.Record == nil:
			missed += e.Missed
		case e.Live:
			live++
		default:
			past++
		}
		w.node.metrics.saw(e)
		return show(e, err)
	}
	if !w.begin(ctx, yield) {
		return
	}
	check := time.NewTimer(watchFirstCheck)
	defer check.Stop()
	for w.left != 0 {
		select {
		case r := <-w.arrived:
			if !w.offer(r, true, yield) {
				return
			}
		case m := <-w.missed:
			if !yield(Event{Live: true, Missed: m}, nil) {
				return
			}
		case <-w.changed:
			if !w.begin(ctx, yield) {
				return
			}
		case <-w.doubts:
			check.Reset(watchFirstCheck)
		case <-check.C:
			check.Reset(watchCheck)
			if !w.check(ctx, yield) {
				return
			}
		case <-ctx.Done():
			return
		case <-w.node.stopped:
			yield(Event{}, ErrStopped)
			return
		}
	}
}

// begin yields the past.
func (w *watcher) begin(ctx context.Context, yield func(Event, error) bool) bool {
	if w.list != nil {
		w.roots, w.changed = w.list.living()
	}
	past, err := w.past(ctx)
	if err != nil {
		yield(Event{}, err)
		return false
	}
	for _, r := range past {
		if !w.offer(r, false, yield) {
			return false
		}
	}
	return true
}

// offer yields r unless that very version was seen; false ends the watch.
func (w *watcher) offer(r *records.Record, live bool, yield func(Event, error) bool) bool {
	if known, _ := w.seen.ContainsOrAdd(r.ID(), struct{}{}); known {
		return true
	}
	if w.left > 0 {
		w.left--
	}
	return yield(Event{Record: r, Live: live}, nil) && w.left != 0
}

// past are the newest posts of all timelines together.
func (w *watcher) past(ctx context.Context) ([]*records.Record, error) {
	want := watchPast
	if w.left > 0 {
		want = min(want, w.left)
	}
	if len(w.roots) == 0 {
		return nil, nil
	}
	page, err := w.node.newest(ctx, w.roots, records.Newest, want)
	return page.Records, err
}

// check asks the buckets for what was not heard, and yields it oldest first.
func (w *watcher) check(ctx context.Context, yield func(Event, error) bool) bool {
	unheard, more, err := w.unheard(ctx)
	if err != nil {
		return ctx.Err() == nil // the next check asks for all of it again
	}
	if more && !yield(Event{Live: true, Missed: 1}, nil) {
		return false
	}
	for _, r := range slices.Backward(unheard) {
		if !w.offer(r, true, yield) {
			return false
		}
	}
	return true
}

// unheard is what the buckets have and w has not seen, newest first: of the newest page
// and, as long as there was something on a page, of the one before it, back to when the
// watch began. There may be more when that takes too many pages.
func (w *watcher) unheard(ctx context.Context) (unheard []*records.Record, more bool, err error) {
	if len(w.roots) == 0 {
		return nil, false, nil
	}
	before := records.Newest
	for range watchPages {
		page, err := w.node.newest(ctx, w.roots, before, watchPast)
		if err != nil {
			return nil, false, err
		}
		known := len(unheard)
		for _, r := range page.Records {
			if !w.seen.Contains(r.ID()) && (before == records.Newest || r.Created() >= w.since) {
				unheard = append(unheard, r)
			}
		}
		if len(unheard) == known || !page.More {
			return unheard, false, nil
		}
		last := page.Records[len(page.Records)-1] // there is one: something was unheard
		if last.Created() < w.since {
			return unheard, false, nil
		}
		before = records.Position{Created: last.Created(), Key: last.ItemKey()}
	}
	return unheard, true, nil
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

package node

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// hearing hears what arrives in the followed trees, as long as the node runs: the
// hashtags by gossip, users and mentions by streams from members of their roots
// (ears.go). What arrives is merged into the copies first and then told to those
// who watch at home. Now and then the newest page of all of it is compared.
type hearing struct {
	node     *Node
	arrived  chan *records.Put // the place is a followed root
	reviews  chan struct{}     // holds one token when the ears are to be looked at
	compares *semaphore.Weighted

	mu       sync.Mutex             // protects all below
	ways     map[records.Place]*way // by root, of what is followed and attended to
	gone     map[peer.ID]bool       // whom we listened to, and whose connection was lost
	watchers map[*watcher]struct{}  // who watch at home
}

// A way is how one followed tree is heard.
type way struct {
	at   records.Coordinate // where those sit by whom it is heard: relays, or members of the root
	tag  bool
	open bool             // of a hashtag: it is subscribed to
	ears map[peer.ID]bool // of others: whom we listen to, and whether that works

	begun chan struct{} // closed when it is heard for the first time
	once  sync.Once     // for begun
}

const (
	hearQueue   = 1024 // arrivals that wait to be kept: beyond them gossip and members count what we miss
	hearBatch   = 256  // kept at once, with one wait for the disk for each level
	comparing   = 4    // comparisons at once
	compareMany = 64   // trees in one of them
	compareMin  = freshFor / 2
	compareMax  = freshFor * 4 / 5
)

func newHearing(n *Node) *hearing {
	return &hearing{
		node: n, arrived: make(chan *records.Put, hearQueue), reviews: make(chan struct{}, 1),
		compares: semaphore.NewWeighted(comparing),
		ways:     map[records.Place]*way{}, gone: map[peer.ID]bool{}, watchers: map[*watcher]struct{}{},
	}
}

// run hears until ctx ends.
func (h *hearing) run(ctx context.Context) error {
	select {
	case <-h.node.Ready():
	case <-ctx.Done():
		return nil
	}
	told := &network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { h.stir(c.RemotePeer()) },
		DisconnectedF: func(_ network.Network, c network.Conn) { h.stir(c.RemotePeer()) },
	}
	h.node.host.Network().Notify(told)
	defer h.node.host.Network().StopNotify(told)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { h.keep(ctx); return nil })
	g.Go(func() error { h.attend(ctx); return nil })
	g.Go(func() error { h.check(ctx); return nil })
	g.Go(func() error { newEars(h).run(ctx); return nil })
	g.Go(func() error {
		if err := h.node.finishLeaving(ctx); err != nil && ctx.Err() == nil {
			h.node.voices.follow.Warn("unfollow what was left", "err", err)
		}
		return nil
	})
	return g.Wait()
}

// attend has a goroutine see to each followed source, and no other.
func (h *hearing) attend(ctx context.Context) {
	var attending sync.WaitGroup
	defer attending.Wait()
	dismiss := map[Source]context.CancelFunc{}
	for {
		list, changed := h.node.followed.watch()
		followed := map[Source]bool{}
		for _, e := range list {
			if e.leaving {
				continue
			}
			followed[e.Source] = true
			if dismiss[e.Source] == nil {
				within, cancel := context.WithCancel(ctx)
				dismiss[e.Source] = cancel
				w := h.begin(e.Source)
				attending.Go(func() {
					defer cancel()
					h.see(within, e.Source, w)
				})
			}
		}
		for s, cancel := range dismiss {
			if !followed[s] {
				cancel()
				delete(dismiss, s)
				h.end(s)
			}
		}
		h.review()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// begin and end say which ways there are.
func (h *hearing) begin(s Source) *way {
	root, _ := s.root()
	w := &way{at: root.Coordinate(), tag: s.tag != "", begun: make(chan struct{})}
	if w.tag {
		w.at = h.node.gossip.Coordinate(protocol.ShardOf(s.tag))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ways[root] = w
	return w
}

func (h *hearing) end(s Source) {
	root, _ := s.root()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.ways, root)
}

// review has the ears looked at soon.
func (h *hearing) review() {
	select {
	case h.reviews <- struct{}{}:
	default:
	}
}

// see compares a source's newest page as soon as it is heard. If it is a hashtag, it
// hears it too.
func (h *hearing) see(ctx context.Context, s Source, w *way) {
	root, _ := s.root()
	var hears sync.WaitGroup
	defer hears.Wait()
	if s.tag != "" {
		hears.Go(func() { h.hearTag(ctx, root, s.tag) })
	}
	select {
	case <-w.begun:
		h.compare(ctx, []records.Place{root})
	case <-ctx.Done():
	}
}

// check compares the newest page of everything now and then, until ctx ends: many
// trees together, so that a member is asked about all of its places at once.
func (h *hearing) check(ctx context.Context) {
	for {
		wait(ctx, compareMin+rand.N(compareMax-compareMin))
		roots, _ := h.node.followed.living()
		for some := range slices.Chunk(roots, compareMany) {
			h.compare(ctx, some)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// compare reads the newest page of some trees from their members; what these show
// is kept.
func (h *hearing) compare(ctx context.Context, roots []records.Place) {
	if h.compares.Acquire(ctx, 1) != nil {
		return
	}
	defer h.compares.Release(1)
	page, err := h.node.newest(doubting(ctx), roots, records.Newest, pageSize)
	if ctx.Err() == nil && (err != nil || len(page.Gaps) > 0) {
		h.node.voices.follow.Debug("compare what is followed", "trees", len(roots), "gaps", len(page.Gaps), "err", err)
	}
}

// hearTag hears a hashtag until ctx ends.
func (h *hearing) hearTag(ctx context.Context, root records.Place, tag records.Tag) {
	for ctx.Err() == nil {
		heard, err := h.node.gossip.Subscribe(ctx, tag)
		if err == nil {
			h.open(root, true)
			for e := range heard.Events() {
				if e.Missed > 0 {
					h.missed(root, e.Missed)
				} else {
					h.hear(ctx, root, e.Record)
				}
			}
		}
		if ctx.Err() == nil {
			h.open(root, false)
			h.node.voices.follow.Debug("listen to what is followed", "place", root, "err", err)
			wait(ctx, followRetry)
		}
	}
}

// hear queues an arrival; false if ctx ends before. Who brings it waits, and counts
// what we miss.
func (h *hearing) hear(ctx context.Context, root records.Place, r *records.Record) bool {
	select {
	case h.arrived <- &records.Put{Place: root, Record: r}:
		return true
	case <-ctx.Done():
		return false
	}
}

// missed notes that something was not heard.
func (h *hearing) missed(root records.Place, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.anew(root)
	for w := range h.watchers {
		w.hear(nil, n)
	}
}

// open notes that a hashtag is subscribed to, or is not any more.
func (h *hearing) open(root records.Place, is bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.ways[root]; w != nil {
		w.open = is
		h.anew(root)
	}
}

// anew has all copies of a tree compared again, because something may have
// arrived that we did not hear. The caller holds mu.
func (h *hearing) anew(root records.Place) {
	switch w := h.ways[root]; {
	case w == nil:
	case w.tag && w.open && h.relayed(w.at), !w.tag && w.listens():
		h.node.copies.heard(root, h.node.now())
		w.once.Do(func() { close(w.begun) })
	default:
		h.node.copies.broken(root)
	}
}

// listens tells whether everybody whom we listen to can be heard.
func (w *way) listens() bool {
	for _, heard := range w.ears {
		if !heard {
			return false
		}
	}
	return len(w.ears) > 0
}

// stir notes that a peer has come or gone. If a tree may be heard by it, we may
// have missed what it had to tell, or others could.
func (h *hearing) stir(p peer.ID) {
	here := sha256.Sum256([]byte(p))
	gone := h.node.host.Network().Connectedness(p) != network.Connected
	h.mu.Lock()
	defer h.mu.Unlock()
	for root, w := range h.ways {
		if _, listening := w.ears[p]; listening && gone {
			w.ears[p] = false
			h.gone[p] = true
		}
		if h.near(here, w.at) {
			h.anew(root)
		}
	}
	h.review()
}

// near tells whether a peer may be one of those who sit at a coordinate. Which of
// them are is known only to some minutes; who is not near is not.
func (h *hearing) near(p, at records.Coordinate) bool {
	return p.SharedBits(at) >= h.node.dht.Prefix()-1
}

// relayed tells whether anybody is connected who may relay for a shard; of course,
// if we are alone.
func (h *hearing) relayed(at records.Coordinate) bool {
	peers := h.node.host.Network().Peers()
	for _, p := range peers {
		if h.near(sha256.Sum256([]byte(p)), at) {
			return true
		}
	}
	return len(peers) == 0
}

// keep merges what arrives into the copies and passes it on, until ctx ends.
func (h *hearing) keep(ctx context.Context) {
	for {
		batch, ok := h.batch(ctx)
		if !ok {
			return
		}
		if err := h.node.arrive(ctx, batch); err != nil {
			if ctx.Err() != nil {
				return
			}
			h.node.voices.follow.Warn("keep what is followed", "err", err)
			h.doubt(batch)
		}
		h.tell(batch)
	}
}

// batch waits for arrivals and takes all that are there.
func (h *hearing) batch(ctx context.Context) (batch []records.Put, ok bool) {
	select {
	case a := <-h.arrived:
		batch = append(batch, *a)
	case <-ctx.Done():
		return nil, false
	}
	for len(batch) < hearBatch {
		select {
		case a := <-h.arrived:
			batch = append(batch, *a)
		default:
			return batch, true
		}
	}
	return batch, true
}

func (h *hearing) doubt(batch []records.Put) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range batch {
		h.anew(a.Place)
	}
}

// tell passes arrivals on to those who watch at home.
func (h *hearing) tell(batch []records.Put) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range batch {
		if h.ways[a.Place] == nil {
			continue // unfollowed meanwhile
		}
		for w := range h.watchers {
			w.hear(a.Record, 0)
		}
	}
}

// watched adds one who watches at home until forget is called.
func (h *hearing) watched(w *watcher) (forget func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[w] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, w)
	}
}

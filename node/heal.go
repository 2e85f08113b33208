package node

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// Healing: neighbours hold the same. Every few minutes, and soon after the
// neighbourhood has changed, a node compares all that it holds with what some
// neighbours do, by range-based set reconciliation, so that it costs what the
// difference costs; takes what it lacks, gives what they lack, and so heals what
// nobody reads like what everybody does. A node answers readers only for what it has
// compared since it came to hold it.

const (
	healSoon  = 5 * time.Second  // after the neighbourhood changed: half of that to one and a half
	healRetry = 30 * time.Second // after comparing with nobody succeeded
	healTime  = 10 * time.Minute // for one neighbour; what is left then is gone on with next time

	// healGive bounds what is given to one neighbour in one comparison. One who lacks
	// more takes it by comparing himself: he pays for it with his own time.
	healGive = 1024
)

// Healing is how well what a node holds is known to be what its neighbours hold.
type Healing struct {
	Harmed   bool      // everything in the store may have been damaged, and has not been compared since
	Filling  bool      // not everything has been compared since it came to be ours to hold
	Compared time.Time // when last to the end with some neighbour; zero: never
	Taken    int64     // records that we lacked, since the node started
	Given    int64     // records that neighbours lacked
	Dropped  int64     // places that are others' to hold now, and held by them
}

// healer is what a node knows of comparing. It is safe for concurrent use.
type healer struct {
	moved chan struct{} // holds a token when the neighbourhood may have changed
	doubt chan struct{} // holds a token when somebody is doubted
	kept  []time.Time   // the leases as they were written down; of the goroutine that heals

	mu     sync.Mutex // protects what follows
	ledger *healing.Ledger
	leases healing.Leases // of what our region has left behind
	told   chore          // give those outside of our region what we took in for them
	status Healing
}

// newHealer is that of a node which holds something for others, or of one that does
// not and has nothing to fill.
func newHealer(holds bool) *healer {
	return &healer{
		moved: make(chan struct{}, 1), doubt: make(chan struct{}, 1),
		ledger: healing.NewLedger(), status: Healing{Filling: holds},
	}
}

// heal compares with neighbours until ctx ends.
func (n *Node) heal(ctx context.Context) error {
	select {
	case <-n.dht.Ready():
	case <-ctx.Done():
		return nil
	}
	n.healer.start(n.dht.Prefix(), n.now())
	for {
		next := nextRound(n.config.HealInterval)
		done := n.healOnce(ctx)
		for done > 0 && n.healer.healing().Filling { // they do not cover our region, or are still gathering too: on to others
			done = n.healOnce(ctx)
		}
		if done == 0 && len(n.dht.Neighbours()) > 0 {
			next = min(next, jitter(healRetry))
		}
		n.bequeath(ctx)
		n.shed(ctx)
		n.keepLeases(ctx)
		if !n.healer.await(ctx, next) {
			return nil
		}
	}
}

// nextRound is a time from three quarters of d to all of it: neighbours do not all compare
// at once, and what they lack comes to all of them within as many intervals as it takes
// turns.
func nextRound(d time.Duration) time.Duration { return d - rand.N(max(d/4, 1)) }

// start notes the region with which healing begins. What was outside of it when an
// earlier run ended was given then, and what a first run finds there is old, or was never
// there.
func (h *healer) start(bits int, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told.done(bits)
	if before := len(h.leases.Left()); before > 0 {
		h.told.grown(before)
	}
	h.leases.Moved(bits, now)
}

// await waits for the next time, or for a reason not to wait for it; false when ctx
// has ended.
func (h *healer) await(ctx context.Context, next time.Duration) bool {
	t := time.NewTimer(next)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-h.moved:
	case <-h.doubt:
	case <-ctx.Done():
		return false
	}
	return pause(ctx, min(next, jitter(healSoon)))
}

// healOnce compares with some neighbours, one after the other, and returns with how
// many to the end.
func (n *Node) healOnce(ctx context.Context) (done int) {
	bits := n.dht.Prefix()
	view := n.healer.view(standsAt(n.host.ID()), bits, n.dht.Neighbours())
	if !n.healer.healing().Filling { // who fills goes on until all is covered, and answers the sooner the sooner he looks
		view.Held = n.prefixesOf(view.Neighbours)
	}
	for _, p := range view.Partners() {
		bounded, cancel := context.WithTimeout(ctx, healTime)
		err := n.compare(bounded, p)
		cancel()
		if ctx.Err() != nil {
			return done
		}
		if err == nil {
			done++
		} else {
			n.voices.heal.Debug("compare with a neighbour", "peer_id", p, "err", err)
		}
	}
	view = n.healer.view(view.Self, bits, n.dht.Neighbours())
	if n.healer.answerFor(view, n.now()) {
		n.voices.heal.Info("holds its share now", "bits", bits, "neighbours", len(view.Neighbours))
	}
	return done
}

// view is what is to be known for planning.
func (h *healer) view(self records.Coordinate, bits int, neighbours []peer.ID) healing.View {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.ledger.View(self, bits, neighbours)
	v.At, v.Random = standsAt, rand.Shuffle
	return v
}

// standsAt is where a node stands on the ring.
func standsAt(p peer.ID) records.Coordinate { return sha256.Sum256([]byte(p)) }

// answerFor notes for what we may answer now, and tells whether that is all of our
// region only since now.
func (h *healer) answerFor(v healing.View, now time.Time) (filled bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.status.Filling
	h.status.Filling = h.ledger.AnswerFor(v)
	h.status.Harmed = h.status.Harmed && h.status.Filling
	if !h.status.Filling && len(v.Neighbours) == 0 {
		h.status.Compared = now
	}
	return before && !h.status.Filling
}

// grown notes that our region has this many bits now.
func (h *healer) grown(bits int, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ledger.Grown(bits) {
		h.status.Filling = true
	}
	h.leases.Moved(bits, now)
	h.told.grown(bits)
	select {
	case h.moved <- struct{}{}:
	default:
	}
}

// answers tells whether a place that shares so many bits with us has been compared
// since it came to be ours to hold.
func (h *healer) answers(shared int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ledger.Answers(shared)
}

// whole is how many bits a place must share with us for that to be so.
func (h *healer) whole() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ledger.Bits()
}

// healing is the status.
func (h *healer) healing() Healing {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

// suspect notes that a neighbour was seen to hold something else than others. It is
// compared with soon.
func (h *healer) suspect(p peer.ID) {
	h.mu.Lock()
	h.ledger.Doubt(p)
	h.mu.Unlock()
	select {
	case h.doubt <- struct{}{}:
	default:
	}
}

// compare makes what we and a neighbour hold in common the same.
func (n *Node) compare(ctx context.Context, p peer.ID) (err error) {
	s := &comparison{Comparison: n.healer.begin(p), node: n, left: healGive, began: n.now()}
	began := time.Now()
	ctx, span := n.span(ctx, "compare")
	for range 2 { // a neighbour's prefix may be another than was believed
		var known bool
		if s.What, known = n.common(ctx, p); !known {
			err = fmt.Errorf("%w: nothing in common with %s", errMoved, p)
			break
		}
		s.From = n.healer.resume(p, s.What)
		var rec exchange.Reconciled
		rec, err = n.client.Reconcile(ctx, p, exchange.Common(s.What), n.store.Holdings(), s.From, func(f exchange.Found) error { return s.settle(ctx, f) })
		s.Rest, s.Whole = rec.Rest, healing.Part{Prefix: standsAt(p), Bits: rec.Whole}
		if !notMember(err) {
			break
		}
	}
	n.healer.note(s, n.now(), err)
	n.metrics.compared(began, err)
	endCompare(span, s, err)
	if s.taken+s.given > 0 {
		n.voices.heal.Info("healed", "peer_id", p, "taken", s.taken, "given", s.given, "took", n.now().Sub(s.began).Round(time.Millisecond))
	}
	return err
}

// begin takes note of the beginning of a comparison.
func (h *healer) begin(p peer.ID) healing.Comparison {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ledger.Begin(p)
}

// resume is where to begin with a neighbour.
func (h *healer) resume(p peer.ID, what healing.Part) reconcile.Bound {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ledger.Resume(p, what)
}

// note remembers how a comparison ended.
func (h *healer) note(s *comparison, now time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status.Taken += int64(s.taken)
	h.status.Given += int64(s.given)
	if h.ledger.Note(s.Comparison, now, err) {
		h.status.Compared = now
	}
}

// common is the part of the ring that we and a neighbour hold: the region of whose
// prefix is the longer, if it lies in the other's.
func (n *Node) common(ctx context.Context, p peer.ID) (healing.Part, bool) {
	ours, theirs := healing.Part{Prefix: standsAt(n.host.ID()), Bits: n.dht.Prefix()}, standsAt(p)
	if bits, err := n.client.PrefixOf(ctx, p); err == nil {
		return ours.Within(healing.Part{Prefix: theirs, Bits: bits})
	}
	return ours, ours.Holds(theirs)
}

// A comparison is what came of comparing with one neighbour.
type comparison struct {
	healing.Comparison
	node         *Node
	began        time.Time
	left         int // records that may still be given
	taken, given int
}

// settle takes what we lack and gives what the other lacks. Which of two versions
// wins is for the stores to say.
func (s *comparison) settle(ctx context.Context, found exchange.Found) error {
	n := s.node
	puts, err := n.client.Collect(ctx, s.Peer, exchange.Common(s.What), found.Differences)
	for part := range slices.Chunk(puts, healBatch) {
		if err := n.repairs.await(ctx, part); err != nil {
			return err
		}
		outcomes, err := n.holder.Merge(ctx, part)
		if err != nil {
			return fmt.Errorf("keep what was lacking: %w", err)
		}
		for _, o := range outcomes {
			if o.Status != records.Have {
				s.taken++
			}
		}
	}
	if err != nil {
		return err
	}
	return s.give(ctx, gathered(found, s.Peer))
}

// gathered are the differences where p has gathered all it could: what it lacks
// elsewhere it is about to collect, maybe from us at this moment.
func gathered(found exchange.Found, p peer.ID) []reconcile.Difference {
	whole := healing.Part{Prefix: standsAt(p), Bits: found.Whole}
	return slices.DeleteFunc(found.Differences, func(d reconcile.Difference) bool { return !whole.Holds(d.At) })
}

// healBatch is how many records are merged, or given, at a time.
const healBatch = 128

// give puts to the other what it lacks, each place at most once a minute, however
// often it says so.
func (s *comparison) give(ctx context.Context, differences []reconcile.Difference) error {
	for part := range slices.Chunk(s.lacked(differences, s.node.repairs.take), healBatch) {
		taken, err := s.node.mend(ctx, s.Peer, part)
		if err != nil {
			return fmt.Errorf("give what %s lacks: %w", s.Peer, err)
		}
		s.given += taken
	}
	return nil
}

// lacked is what of our differences the other lacks and may be given now.
func (s *comparison) lacked(differences []reconcile.Difference, may func(repairKey, time.Time) bool) (puts []records.Put) {
	n := s.node
	fresh := map[records.Place]bool{}
	for _, d := range differences {
		if s.left == 0 || d.Ours == (records.ID{}) {
			continue
		}
		here, err := n.store.Holdings().Standing(d.Key, []records.Coordinate{d.At})
		if err != nil || here[0].Record.ID() != d.Ours {
			continue // theirs won, or it was replaced meanwhile
		}
		place := here[0].Place
		if _, seen := fresh[place]; !seen {
			fresh[place] = may(repairKey{s.Peer, place}, n.now())
		}
		if fresh[place] {
			puts = append(puts, here[0])
			s.left--
		}
	}
	return puts
}

var errNotFilled = &exchange.Refusal{Code: exchange.Busy, Sentence: "what this place holds is still being gathered here; ask another member"}

// answersFor tells whether a node may be asked about a place: not while it is still
// filling that part of its region, unless there is nobody to fill it from.
func (n *Node) answersFor(p records.Place) error {
	at := p.Coordinate()
	switch {
	case n.config.Client, !n.dht.Holds(at):
		return nil
	case n.healer.answers(standsAt(n.host.ID()).SharedBits(at)), len(n.dht.Neighbours()) == 0:
		return nil
	default:
		return errNotFilled
	}
}

package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// tally counts what the members of one place did with one put.
type tally struct {
	members   int // asked, without those who are none
	answered  int
	stored    int // have it on disk
	below     int // say that it belongs below, and bear witness
	bound     records.Position
	displaced map[records.ID]*claim
	lost      int               // did not answer, or said that the place is not theirs to hold
	thin      bool              // some turned out not to be members, and fewer are left than a neighbourhood has
	anybody   bool              // nobody is known to hold the place: whoever takes the record counts
	core      []peer.ID         // members that whoever asks for the place asks, see coreOf
	coreBelow int               // of these, those that say that it belongs below
	full      int               // have no room; they answer and are members
	refused   error             // the last refusal
	held      []*records.Record // what members say they hold already: this version or a newer one
}

func (t *tally) add(from peer.ID, r exchange.Result) {
	t.answered++
	if r.Err != nil {
		t.refused = r.Err
		if isFull(r.Err) {
			t.full++
		}
		return
	}
	switch r.Outcome.Status {
	case records.Stored:
		t.stored++
	case records.Have:
		t.stored++
		if h := r.Outcome.Held; h != nil {
			t.held = append(t.held, h)
		}
	case records.Below:
		t.below++
		if slices.Contains(t.core, from) {
			t.coreBelow++
		}
		if t.bound == (records.Position{}) || r.Outcome.Bound.Compare(t.bound) > 0 {
			t.bound = r.Outcome.Bound // the highest: too high costs a round, too low a misplaced record
		}
	}
	for _, d := range r.Outcome.Displaced {
		if t.displaced == nil {
			t.displaced = map[records.ID]*claim{}
		}
		if t.displaced[d.ID()] == nil {
			t.displaced[d.ID()] = &claim{record: d}
		}
		t.displaced[d.ID()].members++
	}
}

// leave takes out of the count who was asked and is no member, of a place that k should hold.
func (t *tally) leave(p peer.ID, k int) {
	t.members--
	t.core = slices.DeleteFunc(t.core, func(m peer.ID) bool { return m == p })
	t.thin = t.members < k
}

// claim is a record that members say a put displaced.
type claim struct {
	record  *records.Record
	members int
}

// disputed tells whether a majority stored what the core of the neighbourhood says belongs
// below. Who goes by a larger neighbourhood than others puts to nodes that did not get
// what those others wrote, and have room where the core has none.
func (t *tally) disputed() bool { return t.coreBelow >= majority(len(t.core)) }

// gone is what a put displaced, by the word of more than a third of the members:
// those who lie are fewer, and cannot make a writer carry what stays where it is.
// What fewer say, because others displaced it at another writer's put, the holders
// carry themselves.
func (t *tally) gone() (out []*records.Record) {
	for _, c := range t.displaced {
		if 3*c.members > t.members {
			out = append(out, c.record)
		}
	}
	return out
}

// decided tells whether more answers cannot change where the record goes next.
func (t *tally) decided() bool {
	return t.stored >= majority(t.members) || t.below >= majority(t.members) || t.answered == t.members
}

// putRound offers every put to all members of its place, one frame to a member,
// and counts. It returns once every put is decided and the others have had their
// fair chance; what is under way then still arrives.
func (n *Node) putRound(ctx context.Context, puts []records.Put) ([]tally, error) {
	tallies := make([]tally, len(puts))
	frames, err := n.address(ctx, puts, tallies)
	if err != nil {
		return nil, err
	}
	answers := make(chan putAnswer, len(frames))
	for p, indices := range frames {
		started := n.tasks.start(ctx, n.config.PutTimeout, func(ctx context.Context) {
			results, err := n.put(ctx, p, pick(puts, indices))
			n.brims.late(ctx, brimPut)
			answers <- putAnswer{p, indices, results, err}
		})
		if !started {
			return nil, ErrStopped
		}
	}
	wait := newPatience(time.Now(), patienceMin)
	for range frames {
		select {
		case a := <-answers:
			n.count(tallies, puts, a)
		case <-wait.over():
			return tallies, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("put to %d members: %w", len(frames), ctx.Err())
		}
		if allDecided(tallies) {
			wait.begin(time.Now())
		}
	}
	return tallies, nil
}

type putAnswer struct {
	peer    peer.ID
	indices []int // of the puts in the frame
	results []exchange.Result
	err     error
}

// address says which puts go to which member.
func (n *Node) address(ctx context.Context, puts []records.Put, tallies []tally) (map[peer.ID][]int, error) {
	frames := map[peer.ID][]int{}
	for i, p := range puts {
		members, err := n.members(ctx, p.Place)
		if err != nil {
			return nil, fmt.Errorf("find members of %s: %w", p.Place, err)
		}
		tallies[i].members, tallies[i].core = len(members), coreOf(members, p.Place.Coordinate(), n.config.Network.Params.Neighbourhood)
		tallies[i].anybody = !slices.ContainsFunc(members, func(m peer.ID) bool { return n.mayHold(m, p.Place.Coordinate()) })
		for _, m := range members {
			frames[m] = append(frames[m], i)
		}
	}
	return frames, nil
}

// count adds the answer of a member. Who says that the place lies outside of his region
// is none, also where he took the record because one bit more would make him one: what he
// has of the place is what some writers gave him, so that he finds room where members
// have none, and readers who know better never ask him.
func (n *Node) count(tallies []tally, puts []records.Put, a putAnswer) {
	if a.err != nil {
		n.unreachable(a.peer, a.err)
		for _, i := range a.indices {
			tallies[i].answered++
			tallies[i].lost++
			tallies[i].refused = fmt.Errorf("member %s: %w", a.peer, a.err)
		}
		return
	}
	for k, i := range a.indices {
		t, r := &tallies[i], a.results[k]
		refused := notMember(r.Err)
		if !refused && (t.anybody || n.mayHold(a.peer, puts[i].Place.Coordinate())) {
			t.add(a.peer, r)
			continue
		}
		if refused {
			t.lost++
			t.refused = r.Err
		}
		t.leave(a.peer, n.config.Network.Params.Neighbourhood)
		n.dht.Moved(a.peer)
	}
}

// coreOf are those of a place's members who share the longest prefix with it that k of
// them share. Estimates of the network's size differ, and with them what is taken for a
// place's neighbourhood; but whoever asks for it asks these, since no prefix is believed
// that leaves fewer than k.
func coreOf(members []peer.ID, c records.Coordinate, k int) []peer.ID {
	if len(members) < k {
		return nil
	}
	shared := make([]int, len(members))
	for i, m := range members {
		shared[i] = standsAt(m).SharedBits(c)
	}
	least := slices.Sorted(slices.Values(shared))[len(members)-k]
	core := make([]peer.ID, 0, len(members))
	for i, m := range members {
		if shared[i] >= least {
			core = append(core, m)
		}
	}
	return core
}

// notMember tells whether a member refused because it holds another region than we
// believed: its prefix has changed.
func notMember(err error) bool {
	var r *exchange.Refusal
	return errors.As(err, &r) && r.Code == exchange.NotAMember
}

// isFull tells whether a member, perhaps ourselves, has no room.
func isFull(err error) bool {
	var r *exchange.Refusal
	return errors.Is(err, exchange.ErrFull) || errors.As(err, &r) && r.Code == exchange.Full
}

// unreachable notes that a member did not answer, so that the next lookup may
// find another in its place.
func (n *Node) unreachable(p peer.ID, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	n.dht.Forget(p)
	n.voices.publish.Debug("member did not answer", "peer_id", p, "err", err)
}

func pick[T any](all []T, indices []int) []T {
	out := make([]T, len(indices))
	for k, i := range indices {
		out[k] = all[i]
	}
	return out
}

func allDecided(tallies []tally) bool {
	for i := range tallies {
		if !tallies[i].decided() {
			return false
		}
	}
	return true
}

// patience is how long the slowest are waited for once the others suffice: as
// long again as those took, within bounds, so that a far member counts and a dead
// one does not hold everybody up.
type patience struct {
	started time.Time
	least   time.Duration
	timer   *time.Timer
}

const (
	patienceMin = 20 * time.Millisecond
	patienceMax = time.Second
)

func newPatience(now time.Time, least time.Duration) *patience {
	return &patience{started: now, least: least}
}

// begin starts the wait; later calls change nothing.
func (p *patience) begin(now time.Time) {
	if p.timer == nil {
		p.timer = time.NewTimer(min(max(now.Sub(p.started), p.least), patienceMax))
	}
}

// end takes the wait back: the others do not suffice after all.
func (p *patience) end() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// over is ready when the wait is; never before it has begun.
func (p *patience) over() <-chan time.Time {
	if p.timer == nil {
		return nil
	}
	return p.timer.C
}

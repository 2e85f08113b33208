package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// Bounds of reading.
const (
	maxFetches = 512 // frames under way of all readers together: two home feeds that ask everybody of a network of 200
	maxLookups = 32  // neighbourhoods looked up at once, for one round of a page

	// Somebody who was asked for records is late when he has taken twice as long as
	// most others took for theirs; then another is asked as well.
	hedgeMin = 20 * time.Millisecond
	hedgeMax = time.Second

	// When most members of a place are silent, the few that answered must do. Only
	// they could be liars now, so this is longer than any of the others should take.
	quorumWait = 2 * time.Second

	// Once most have answered and nobody differs, the others are waited for as long
	// again, and at least so long: most of a place's members may have been made for it,
	// and be quick.
	readPatience = 100 * time.Millisecond
)

// errNobody means that no member of a place answered.
var errNobody = errors.New("no member answered")

// read asks the members of many places at once and returns the union for each,
// in the order of the queries. A place that nobody answered for has an error of
// its own.
func (n *Node) read(ctx context.Context, queries []records.Query) ([]records.Bucket, []error) {
	began := n.now()
	buckets, errs := make([]records.Bucket, len(queries)), make([]error, len(queries))
	var far []int // queries that members are asked about
	for i, q := range queries {
		if !n.settled(ctx, q.Place, began) || n.recall(q, &buckets[i]) != nil {
			far = append(far, i)
		}
	}
	readings := n.readings(ctx, pick(queries, far))
	n.ask(ctx, readings)
	var whole []records.Bucket // of places whose copies we keep
	for k, i := range far {
		r := readings[k]
		if len(r.full) == 0 || r.told() == 0 {
			errs[i] = errors.Join(r.err, fmt.Errorf("%s: %w", queries[i].Place, errNobody))
			continue
		}
		all := n.learn(ctx, r)
		if buckets[i] = all; r.kept {
			buckets[i] = page(all, queries[i])
		}
		if r.kept && !all.More && r.compared() && n.populated(len(r.members)) {
			whole = append(whole, all)
		}
	}
	if err := n.keep(ctx, whole, began); err != nil {
		n.voices.read.Warn("keep copies", "err", err)
	}
	return buckets, errs
}

// recall answers a query from our own copy.
func (n *Node) recall(q records.Query, b *records.Bucket) (err error) {
	if *b, err = n.store.Bucket(q); err != nil {
		n.copies.spoil(q.Place)
		n.voices.read.Warn("read our copy", "place", q.Place, "err", err)
	}
	return err
}

// learn is all that was said of a place, from which we also learn the tree. Members
// that lack something are given it.
func (n *Node) learn(ctx context.Context, r *reading) records.Bucket {
	all := r.union()
	if r.agreed(all.Fingerprint) {
		n.tree.saw(all) // what a majority holds; what a single member shows may be made for us to see
	}
	n.repair(ctx, r, all)
	return all
}

// readings finds whom to ask about each place. Of one whose copy we keep the whole
// is compared, so that the copy can be made whole.
func (n *Node) readings(ctx context.Context, queries []records.Query) []*reading {
	out := make([]*reading, len(queries))
	var g errgroup.Group
	g.SetLimit(maxLookups)
	for i, q := range queries {
		g.Go(func() error {
			members, err := n.members(ctx, q.Place)
			kept := n.copies.keeps(q.Place)
			if kept {
				q.Before, q.Limit = records.Newest, n.config.Network.Capacity(q.Place)
			}
			out[i] = newReading(q, n.mix.order(n.readOrder(members), n.now()), err)
			out[i].kept = kept
			if !kept {
				out[i].copies = n.copiesOf(q.Place)
			}
			var b records.Bucket
			if kept && n.recall(q, &b) == nil {
				out[i].holding(n.host.ID(), b, n.copies.knows(q.Place))
			}
			return nil
		})
	}
	_ = g.Wait() // each has its own error
	return out
}

// dialTrips is how many round trips it takes until somebody answers to whom there is no
// connection: one for the transport, one for the handshake and one for what runs over
// it, before that of the question.
const dialTrips = 4

// readOrder puts ourselves first, then those whose latency we know by when they are
// likely to answer, then the rest as they come, nearest to the place first.
func (n *Node) readOrder(members []peer.ID) []peer.ID {
	ranks := make(map[peer.ID]time.Duration, len(members))
	for _, p := range members {
		ranks[p] = n.readRank(p)
	}
	out := slices.Clone(members)
	slices.SortStableFunc(out, func(p, q peer.ID) int { return cmp.Compare(ranks[p], ranks[q]) })
	return out
}

// readRank is how long p is likely to take until it answers.
func (n *Node) readRank(p peer.ID) time.Duration {
	d := n.host.Peerstore().LatencyEWMA(p)
	switch {
	case p == n.host.ID():
		return -1
	case d <= 0:
		return time.Hour
	case n.host.Network().Connectedness(p) != network.Connected:
		return dialTrips * d
	default:
		return d
	}
}

// A wave is the questions of many places under way at once, a frame or more to a
// member. It belongs to one goroutine; others only send on answers.
type wave struct {
	node     *Node
	readings []*reading
	answers  chan readAnswer
	over     chan struct{} // closed when nobody takes answers any more

	began             time.Time
	launched, arrived int // frames
	waiting           int // readings that have not enough
	patience          *patience
	hedge             *time.Timer
	hedged            int // frames launched when the timer was set by how long others took
}

type readAnswer struct {
	peer      peer.ID
	questions []question
	fetched   []exchange.Answer
	err       error
}

// ask carries out readings until each has enough, or there is nobody left to ask.
// Slow members are still waited for a little, and what they answer later is not
// heard any more.
func (n *Node) ask(ctx context.Context, readings []*reading) {
	now := time.Now()
	w := &wave{
		node: n, readings: readings, answers: make(chan readAnswer), over: make(chan struct{}),
		began: now, patience: newPatience(now, readPatience), hedge: time.NewTimer(hedgeMax), waiting: len(readings),
	}
	defer close(w.over)
	defer w.hedge.Stop()
	w.review(ctx, readings, (*reading).first)
	for w.arrived < w.launched && w.step(ctx) {
		continue
	}
	w.note(ctx)
	n.judge(ctx, readings)
}

// step waits for what happens next and asks what follows from it; false when
// nothing is waited for any more.
func (w *wave) step(ctx context.Context) bool {
	select {
	case a := <-w.answers:
		w.review(ctx, w.receive(a), (*reading).more)
	case <-w.hedge.C:
		w.hedge.Reset(hedgeMax)
		for _, r := range w.readings {
			r.anybody = time.Since(w.began) >= quorumWait
		}
		w.review(ctx, w.readings, (*reading).late)
	case <-w.patience.over():
		return false
	case <-ctx.Done():
		return false
	}
	w.pace()
	return true
}

// review asks what some readings have to ask now, and sees which have enough.
func (w *wave) review(ctx context.Context, touched []*reading, questions func(*reading) []question) {
	var all []question
	for _, r := range touched {
		all = append(all, questions(r)...)
	}
	w.launch(ctx, all)
	for _, r := range touched {
		was := r.done
		r.done = r.enough()
		switch {
		case r.done && !was:
			w.waiting--
		case was && !r.done:
			w.waiting++
		}
	}
}

// pace sets the clocks by what has arrived: when those who are late are replaced,
// and how long the slowest are waited for.
func (w *wave) pace() {
	took := time.Since(w.began)
	if w.waiting == 0 {
		w.patience.begin(time.Now())
		return
	}
	w.patience.end() // somebody late holds something else
	if w.launched > w.hedged && 2*w.arrived > w.launched {
		w.hedged = w.launched
		w.hedge.Reset(min(max(took, hedgeMin), hedgeMax))
	}
}

// launch asks each member what it is to be asked, in as few frames as that takes.
func (w *wave) launch(ctx context.Context, questions []question) {
	frames := map[peer.ID][]question{}
	for _, q := range questions {
		frames[q.member] = append(frames[q.member], q)
	}
	for p, all := range frames {
		for part := range slices.Chunk(all, protocol.MaxQueries) {
			w.launched++
			if !w.send(ctx, p, part) {
				w.receive(readAnswer{p, part, nil, ErrStopped})
			}
		}
	}
}

// send asks one member, on a goroutine that may outlive the wave: a member that
// answers too late for it is there, and one that never does is to be found out.
func (w *wave) send(ctx context.Context, p peer.ID, questions []question) (started bool) {
	queries := make([]records.Query, len(questions))
	for i, q := range questions {
		queries[i] = q.reading.query
		queries[i].Print = !q.full
	}
	n := w.node
	return n.tasks.start(ctx, n.config.FetchTimeout, func(bounded context.Context) {
		bounded, cancel := context.WithCancel(bounded)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		a := readAnswer{peer: p, questions: questions}
		if a.err = n.fetching.Acquire(bounded, 1); a.err == nil {
			a.fetched, a.err = n.fetch(bounded, p, queries)
			n.brims.late(bounded, brimFetch)
			n.fetching.Release(1)
		}
		if a.err != nil {
			n.unreachable(p, a.err)
		}
		select {
		case w.answers <- a:
		case <-w.over:
		}
	})
}

// receive takes in what one member answered, and returns what it is about.
func (w *wave) receive(a readAnswer) (touched []*reading) {
	w.arrived++
	for i, q := range a.questions {
		var b *records.Bucket
		if a.err == nil && a.fetched[i].Err == nil {
			b = &a.fetched[i].Bucket
			w.node.heard(q.reading.query.Place, a.fetched[i])
		}
		if a.err == nil && notMember(a.fetched[i].Err) {
			q.reading.without(a.peer)
			w.node.dht.Moved(a.peer)
		}
		q.reading.take(q, b)
		touched = append(touched, q.reading)
	}
	return touched
}

// note adds what was asked to the trace of the context.
func (w *wave) note(ctx context.Context) {
	depth, shown := 0, 0
	for _, r := range w.readings {
		depth = max(depth, r.depth)
		for _, b := range r.full {
			shown += len(b.Records) + len(b.Witnesses)
		}
	}
	traceOf(ctx).add(depth, len(w.readings), shown)
}

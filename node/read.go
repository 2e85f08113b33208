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

// How a place is read: records from a few members, fingerprints from others, and
// records from those too whose fingerprint differs. What is read is the union, so
// one honest member among those asked suffices.
const (
	readFull  = 2  // members asked for records
	readPrint = 14 // members asked for the fingerprint alone
)

// errNobody means that no member of a place answered.
var errNobody = errors.New("no member answered")

// reading is one place being read.
type reading struct {
	query    records.Query
	members  []peer.ID // in the order in which they are asked
	asked    map[peer.ID]bool
	full     map[peer.ID]records.Bucket // what members hold, records included
	prints   map[peer.ID]records.Bucket // what members hold, without records
	answered int
	pending  int // questions under way
}

// read asks the members of many places at once and returns the union for each,
// in the order of the queries. A place that nobody answered for has an error of
// its own.
func (n *Node) read(ctx context.Context, queries []records.Query) ([]records.Bucket, []error) {
	readings := make([]*reading, len(queries))
	errs := make([]error, len(queries))
	for i, q := range queries {
		members, err := n.members(ctx, q.Place)
		if err != nil {
			errs[i] = err
		}
		readings[i] = newReading(q, n.readOrder(members))
	}
	n.ask(ctx, readings, (*reading).first)
	// Those who differ, and where nobody answered the next in line, until there is
	// nobody left to ask.
	for n.ask(ctx, readings, (*reading).further) {
		continue
	}
	buckets := make([]records.Bucket, len(queries))
	for i, r := range readings {
		if len(r.full) == 0 {
			errs[i] = errors.Join(errs[i], fmt.Errorf("%s: %w", r.query.Place, errNobody))
			continue
		}
		buckets[i] = r.union()
		n.tree.saw(buckets[i])
	}
	return buckets, errs
}

func newReading(q records.Query, members []peer.ID) *reading {
	return &reading{
		query: q, members: members, asked: map[peer.ID]bool{},
		full: map[peer.ID]records.Bucket{}, prints: map[peer.ID]records.Bucket{},
	}
}

// readOrder puts ourselves first, then those we are connected to by latency, then
// the rest as they come, nearest to the place first.
func (n *Node) readOrder(members []peer.ID) []peer.ID {
	out := slices.Clone(members)
	rank := func(p peer.ID) time.Duration {
		if p == n.host.ID() {
			return -1
		}
		if d := n.host.Peerstore().LatencyEWMA(p); d > 0 {
			return d
		}
		return time.Hour
	}
	slices.SortStableFunc(out, func(p, q peer.ID) int { return int(rank(p).Microseconds() - rank(q).Microseconds()) })
	return out
}

// question is what a reading asks of a member: its records, or the fingerprint alone.
type question struct {
	member peer.ID
	full   bool
}

// first asks some for records and others for fingerprints.
func (r *reading) first() (out []question) {
	for i, m := range r.members[:min(len(r.members), readFull+readPrint)] {
		out = append(out, question{m, i < readFull})
	}
	return out
}

// further asks those for records whose fingerprint differs from that of everybody
// who gave theirs; and while nobody did, the next in line.
func (r *reading) further() (out []question) {
	for m, p := range r.prints {
		if _, ok := r.full[m]; !ok && !r.seen(p.Fingerprint) {
			out = append(out, question{m, true})
		}
	}
	clear(r.prints) // each is asked at most once more
	if len(out) > 0 || len(r.full) > 0 {
		return out
	}
	for _, m := range r.members {
		if !r.asked[m] {
			return append(out, question{m, true})
		}
	}
	return nil
}

func (r *reading) seen(f records.Fingerprint) bool {
	for _, b := range r.full {
		if b.Fingerprint == f {
			return true
		}
	}
	return false
}

// enough tells whether waiting longer is unlikely to show more: somebody gave
// their records and more than half of those asked answered.
func (r *reading) enough() bool {
	return r.pending == 0 || (len(r.full) > 0 && r.answered > r.pending)
}

// ask puts the questions of all readings, one frame to a member, and takes in the
// answers; false if there were no questions.
func (n *Node) ask(ctx context.Context, readings []*reading, questions func(*reading) []question) bool {
	frames := map[peer.ID][]item{}
	for _, r := range readings {
		r.answered = 0
		for _, q := range questions(r) {
			r.asked[q.member] = true
			r.pending++
			frames[q.member] = append(frames[q.member], item{r, q.full})
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan readAnswer, len(frames))
	for p, items := range frames {
		n.send(ctx, p, items, answers)
	}
	wait := newPatience(time.Now())
	for range frames {
		select {
		case a := <-answers:
			n.receive(a)
		case <-wait.over():
			return settle(readings)
		case <-ctx.Done():
			return settle(readings)
		}
		if !slices.ContainsFunc(readings, func(r *reading) bool { return !r.enough() }) {
			wait.begin(time.Now())
		}
	}
	return len(frames) > 0
}

// item is one query of a frame.
type item struct {
	reading *reading
	full    bool
}

type readAnswer struct {
	peer    peer.ID
	items   []item
	fetched []exchange.Answer
	err     error
}

// send asks one member, on a goroutine that ends with ctx.
func (n *Node) send(ctx context.Context, p peer.ID, items []item, answers chan<- readAnswer) {
	queries := make([]records.Query, len(items))
	for i, it := range items {
		queries[i] = it.reading.query
		if !it.full {
			queries[i].Print = true
		}
	}
	started := n.tasks.start(ctx, n.config.FetchTimeout, func(bounded context.Context) {
		bounded, cancel := context.WithCancel(bounded)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		fetched, err := n.fetch(bounded, p, queries)
		answers <- readAnswer{p, items, fetched, err}
	})
	if !started {
		answers <- readAnswer{p, items, nil, ErrStopped}
	}
}

// receive takes in what one member answered.
func (n *Node) receive(a readAnswer) {
	if a.err != nil {
		n.unreachable(a.peer, a.err)
	}
	for i, it := range a.items {
		it.reading.pending--
		it.reading.answered++
		if a.err == nil && a.fetched[i].Err == nil {
			it.reading.take(a.peer, a.fetched[i].Bucket, it.full)
		}
	}
}

// settle gives up on what is still under way.
func settle(readings []*reading) bool {
	for _, r := range readings {
		r.pending = 0
	}
	return true
}

func (r *reading) take(p peer.ID, b records.Bucket, full bool) {
	if full {
		r.full[p] = b
	} else {
		r.prints[p] = b
	}
}

// union is everything that anybody showed: of each thing the winning version, of
// the page no more than all have shown whole.
func (r *reading) union() records.Bucket {
	out := records.Bucket{Place: r.query.Place}
	held, witnesses := map[records.ItemKey]*records.Record{}, map[records.ItemKey]*records.Record{}
	var cut records.Position // where the first cut page ends
	for _, b := range r.full {
		keepWinners(held, b.Records)
		keepWinners(witnesses, b.Witnesses)
		out.Count, out.Full = max(out.Count, b.Count), out.Full || b.Full
		out.Fingerprint = b.Fingerprint
		if b.More && len(b.Records) > 0 {
			out.More = true
			if last := r.query.Place.Position(b.Records[len(b.Records)-1]); last.Compare(cut) > 0 {
				cut = last
			}
		}
	}
	for _, b := range r.prints {
		keepWinners(witnesses, b.Witnesses)
	}
	out.Records, out.Witnesses = newestFirst(r.query.Place, held), newestFirst(r.query.Place, witnesses)
	if out.More {
		out.Records = slices.DeleteFunc(out.Records, func(q *records.Record) bool {
			return r.query.Place.Position(q).Compare(cut) < 0
		})
	}
	return out
}

func keepWinners(held map[records.ItemKey]*records.Record, offered []*records.Record) {
	for _, r := range offered {
		if h := held[r.ItemKey()]; h == nil || r.Wins(h) {
			held[r.ItemKey()] = r
		}
	}
}

func newestFirst(p records.Place, held map[records.ItemKey]*records.Record) []*records.Record {
	out := make([]*records.Record, 0, len(held))
	for _, r := range held {
		out = append(out, r)
	}
	slices.SortFunc(out, func(r, s *records.Record) int { return p.Position(s).Compare(p.Position(r)) })
	return out
}

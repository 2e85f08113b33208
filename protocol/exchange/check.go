package exchange

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// A checker believes nothing: it turns what a peer answered into records and
// outcomes that can be true. What it refuses wraps ErrProtocol.
type checker struct {
	door *records.Door
	now  time.Time
}

func (c *Client) checker() checker { return checker{c.door, c.now()} }

// open lets envelopes in through the door, a record or an error for each. An
// unknown one costs an Ed25519 verification, so many are shared out to all cores.
func (c checker) open(envelopes [][]byte) ([]*records.Record, []error) {
	rs, errs := make([]*records.Record, len(envelopes)), make([]error, len(envelopes))
	each(len(envelopes), func(i int) { rs[i], errs[i] = c.door.Open(envelopes[i], c.now) })
	return rs, errs
}

// eachMin is the least work for which another goroutine pays.
const eachMin = 4

// each calls f with 0 to n-1, in any order, on up to as many goroutines as there
// are cores.
func each(n int, f func(i int)) {
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
			f(int(i))
		}
	}
	var helpers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n/eachMin) - 1 {
		helpers.Go(work)
	}
	work()
	helpers.Wait()
}

func violation(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrProtocol}, args...)...)
}

// outcome is what a peer says became of put. Indices point into held and errs.
func (c checker) outcome(put records.Put, m *pb.Outcome, held []*records.Record, errs []error) (o records.Outcome, err error) {
	switch m.GetVerdict() {
	case pb.Verdict_VERDICT_STORED:
		o.Status = records.Stored
	case pb.Verdict_VERDICT_HAVE:
		o.Status = records.Have
	case pb.Verdict_VERDICT_BELOW:
		o.Status = records.Below
	case pb.Verdict_VERDICT_REFUSED:
		return records.Outcome{}, refusalOf(m.GetRefusal())
	default:
		return records.Outcome{}, violation("put at %s: verdict %d", put.Place, m.GetVerdict())
	}
	if o.Held, err = c.heldInstead(put, o.Status, m, held, errs); err != nil {
		return records.Outcome{}, violation("put at %s: held: %w", put.Place, err)
	}
	if o.Bound, err = c.bound(put, o.Status, m.GetBound()); err != nil {
		return records.Outcome{}, violation("put at %s: bound: %w", put.Place, err)
	}
	if o.Displaced, err = displaced(put, m.GetDisplaced(), held, errs); err != nil {
		return records.Outcome{}, violation("put at %s: displaced: %w", put.Place, err)
	}
	return o, nil
}

// Reasons why an outcome cannot be.
var (
	errOutOfPlace = errors.New("it does not go with this outcome")
	errNoSuch     = errors.New("no such record in the answer")
	errOtherThing = errors.New("it is another thing, or an older version")
	errNotBelow   = errors.New("the record lies within it")
	errNotAfter   = errors.New("it does not come after what displaced it")
	errTooMany    = errors.New("more than one put can displace")
)

// heldInstead is the version that the peer has: ours, or a newer one. Of a
// record that belongs below the peer may have a newer version as a witness.
func (c checker) heldInstead(put records.Put, s records.Status, m *pb.Outcome, held []*records.Record, errs []error) (*records.Record, error) {
	switch {
	case s == records.Stored && m.Held != nil:
		return nil, errOutOfPlace
	case s == records.Have && m.Held == nil:
		return put.Record, nil
	case m.Held == nil:
		return nil, nil
	}
	r, err := pick(m.GetHeld(), held, errs)
	if err != nil {
		return nil, err
	}
	if r.ItemKey() != put.Record.ItemKey() || !r.Wins(put.Record) {
		return nil, errOtherThing
	}
	return r, nil
}

// bound is the largest position of the bucket that a record is below.
func (c checker) bound(put records.Put, s records.Status, m *pb.Position) (records.Position, error) {
	bound, err := positionOf(m, records.Position{})
	if err != nil {
		return records.Position{}, err
	}
	empty := c.door.Network().Capacity(put.Place) == 0
	switch {
	case s != records.Below && m != nil, s == records.Below && empty != (m == nil):
		return records.Position{}, errOutOfPlace
	case s == records.Below && put.Place.Position(put.Record).Compare(bound) <= 0:
		return records.Position{}, errNotBelow
	}
	return bound, nil
}

// maxDisplaced is a full bucket's largest and the witness of its child.
const maxDisplaced = 2

// displaced are records of the place that belong to its children now, because a
// smaller one came. They may come with any outcome: a newer version that the peer
// had from another of the record's places can be what displaced them. One that is
// ahead of our clock is left to the peer, whose clock may be right, to carry down.
func displaced(put records.Put, indices []uint32, held []*records.Record, errs []error) (rs []*records.Record, err error) {
	if len(indices) > maxDisplaced {
		return nil, errTooMany
	}
	for _, i := range indices {
		r, err := pick(i, held, errs)
		if errors.Is(err, records.ErrFuture) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := records.Fits(r, put.Place); err != nil {
			return nil, err
		}
		if put.Place.Position(r).Compare(put.Place.Position(put.Record)) <= 0 {
			return nil, errNotAfter
		}
		rs = append(rs, r)
	}
	return rs, nil
}

func pick(i uint32, held []*records.Record, errs []error) (*records.Record, error) {
	if i >= uint32(len(held)) {
		return nil, errNoSuch
	}
	return held[i], errs[i]
}

// leastCut is the least size of a bucket that did not fit a page: the next record
// was one too many.
const leastCut = pageBytes - recordOverhead - records.MaxRecord

// answer is what a peer says to one query.
func (c checker) answer(q records.Query, m *pb.Bucket) Answer {
	b, err := c.bucket(q, m)
	if err == nil {
		err = checkCopies(m)
	}
	if err != nil {
		return Answer{Err: err}
	}
	return Answer{Bucket: b, Hot: m.GetHot(), Copies: m.GetCopies()}
}

// bucket is what a peer says it has of the place that q asks about.
func (c checker) bucket(q records.Query, m *pb.Bucket) (records.Bucket, error) {
	if r := m.GetRefusal(); r != nil {
		return records.Bucket{}, refusalOf(r)
	}
	capacity := c.door.Network().Capacity(q.Place)
	count := int(m.GetCount())
	switch n := len(m.GetRecords()); {
	case q.Print && n > 0, !q.Print && m.Fingerprint != nil:
		return records.Bucket{}, violation("bucket %s: an answer to another question", q.Place)
	case n > q.Limit, n > count, count > capacity:
		return records.Bucket{}, violation("bucket %s: %d of %d records, at most %d of %d", q.Place, n, count, q.Limit, capacity)
	case !q.Print && q.Before == records.Newest && m.GetMore() != (n < count):
		return records.Bucket{}, violation("bucket %s: %d of %d records, and more is %t", q.Place, n, count, m.GetMore())
	case !q.Print && m.GetMore() && n < q.Limit && bucketSize(m) < leastCut:
		// One who shows a record at a time would cost a reader a round for each.
		return records.Bucket{}, violation("bucket %s: %d of %d records, and there was room for more", q.Place, n, count)
	}
	b := records.Bucket{Place: q.Place, Count: count, Full: count == capacity, More: m.GetMore()}
	var err error
	if b.Fingerprint, err = fingerprintOf(m.GetFingerprint()); err != nil {
		return records.Bucket{}, violation("bucket %s: %w", q.Place, err)
	}
	if b.Records, err = c.page(q.Place, q.Before, m.GetRecords()); err != nil {
		return records.Bucket{}, violation("bucket %s: records: %w", q.Place, err)
	}
	if b.Witnesses, err = c.page(q.Place, records.Newest, m.GetWitnesses()); err != nil {
		return records.Bucket{}, violation("bucket %s: witnesses: %w", q.Place, err)
	}
	if !q.Print {
		b.Fingerprint = b.Sum() // what was shown, whatever is claimed
	}
	return b, nil
}

// page lets in records of place p, newest first, all before a position. A record
// that is ahead of our clock is left out: the peer's may be right.
func (c checker) page(p records.Place, before records.Position, envelopes [][]byte) ([]*records.Record, error) {
	opened, errs := c.open(envelopes)
	page := opened[:0]
	for i, r := range opened {
		if errors.Is(errs[i], records.ErrFuture) {
			continue
		}
		if errs[i] != nil {
			return nil, errs[i]
		}
		if err := records.Fits(r, p); err != nil {
			return nil, err
		}
		at := p.Position(r)
		if at.Compare(before) >= 0 {
			return nil, errors.New("out of order, or outside of what was asked")
		}
		before = at
		page = append(page, r)
	}
	return page, nil
}

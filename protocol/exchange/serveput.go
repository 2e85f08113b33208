package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// errOffender ends the streams of a peer that puts what no honest node would.
var errOffender = errors.New("too many bad records")

// put stores what may be stored of m and says what became of each entry.
func (x *session) put(ctx context.Context, id uint64, m *pb.Put) error {
	if r := checkPut(m); r != nil {
		return x.refuse(ctx, id, r)
	}
	opened, errs := checker{x.cfg.Door, x.cfg.Now()}.open(m.GetRecords())
	if x.offends(errs) {
		return errOffender
	}
	entries := make([]entry, len(m.GetEntries()))
	for i, e := range m.GetEntries() {
		r, err := opened[e.GetRecord()], errs[e.GetRecord()]
		entries[i] = x.entry(e.GetPlace(), r, err)
	}
	x.store(ctx, entries)
	x.counts.entries(entries)
	for _, reply := range putReplies(id, entries) {
		if err := x.reply(ctx, reply); err != nil {
			return err
		}
	}
	return nil
}

// An entry is a put of a stranger and what became of it.
type entry struct {
	put records.Put
	Result
}

// checkPut tells what is wrong with a put as a whole.
func checkPut(m *pb.Put) *Refusal {
	nr, ne := len(m.GetRecords()), len(m.GetEntries())
	if nr > protocol.MaxPutRecords || ne > protocol.MaxPutEntries {
		return &Refusal{TooLarge, fmt.Sprintf("%d records at %d places, at most %d at %d", nr, ne, protocol.MaxPutRecords, protocol.MaxPutEntries)}
	}
	if ne == 0 {
		return &Refusal{Malformed, "put of nothing"}
	}
	for _, e := range m.GetEntries() {
		if e.GetRecord() >= uint32(nr) {
			return &Refusal{Malformed, fmt.Sprintf("entry names record %d of %d", e.GetRecord(), nr)}
		}
	}
	return nil
}

// offends counts the records that no honest node puts, and tells whether there
// have been too many.
func (x *session) offends(errs []error) bool {
	n := 0
	for _, err := range errs {
		if err != nil && refuse(err).Code.offence() {
			n++
		}
	}
	if n == 0 {
		return false
	}
	x.cfg.Offended(x.peer())
	return x.cfg.Offences.Count(x.peer(), n)
}

// entry admits a record at a place, or says why not.
func (x *session) entry(place []byte, r *records.Record, err error) entry {
	if err != nil {
		return refused(err)
	}
	p, err := records.ParsePlace(place)
	if err != nil {
		return refused(err)
	}
	if err := records.Fits(r, p); err != nil {
		return refused(err)
	}
	if !x.member(p.Coordinate()) {
		return refused(&Refusal{NotAMember, fmt.Sprintf("this place is not within the %d bits held here", x.cfg.Region.Prefix())})
	}
	return entry{put: records.Put{Place: p, Record: r}}
}

func refused(err error) entry { return entry{Result: Result{Err: err}} }

// store puts the admitted entries on disk, in one go, and fills in their results.
func (x *session) store(ctx context.Context, entries []entry) {
	var puts []records.Put
	for _, e := range entries {
		if e.Err == nil {
			puts = append(puts, e.put)
		}
	}
	if len(puts) == 0 {
		return
	}
	results, err := x.merge(ctx, puts)
	for i := range entries {
		e := &entries[i]
		switch {
		case e.Err != nil:
			continue
		case err != nil:
			e.Err = err
		default:
			e.Result, results = results[0], results[1:]
		}
		if e.Err != nil {
			e.Err = x.storeError(ctx, e.Err)
		}
	}
}

// storeError is what a peer is told of the store's failure. The owner is told more.
func (x *session) storeError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrFull):
		return ErrFull
	case ctx.Err() == nil:
		x.cfg.Log.Error("merge for a peer", "peer_id", x.peer(), "err", err)
	}
	return refuse(err)
}

// outcomeBytes is more than an outcome takes, besides the records it names.
const outcomeBytes = 64 + protocol.MaxSentence

// putReplies are the frames that say what became of entries.
func putReplies(id uint64, entries []entry) []*pb.Reply {
	var replies []*pb.Reply
	var m *pb.PutReply
	size := protocol.MaxReply
	for _, e := range entries {
		n := outcomeBytes + e.bytes()
		if size += n; size > protocol.MaxReply {
			if len(replies) > 0 {
				replies[len(replies)-1].More = true
			}
			m, size = &pb.PutReply{}, n
			replies = append(replies, &pb.Reply{Id: id, Body: &pb.Reply_Put{Put: m}})
		}
		e.appendTo(m)
	}
	return replies
}

// newer is the version held instead of the one put, nil if it is the same.
func (e entry) newer() *records.Record {
	if h := e.Outcome.Held; h != nil && h.ID() != e.put.Record.ID() {
		return h
	}
	return nil
}

// bytes is what the records that the outcome names take.
func (e entry) bytes() (n int) {
	if h := e.newer(); h != nil {
		n += len(h.Bytes()) + recordOverhead
	}
	for _, r := range e.Outcome.Displaced {
		n += len(r.Bytes()) + recordOverhead
	}
	return n
}

var verdicts = [...]pb.Verdict{
	records.Stored: pb.Verdict_VERDICT_STORED, records.Have: pb.Verdict_VERDICT_HAVE, records.Below: pb.Verdict_VERDICT_BELOW,
}

// appendTo adds the entry's outcome to m.
func (e entry) appendTo(m *pb.PutReply) {
	if e.Err != nil {
		m.Outcomes = append(m.Outcomes, &pb.Outcome{Verdict: pb.Verdict_VERDICT_REFUSED, Refusal: refuse(e.Err).message()})
		return
	}
	o := &pb.Outcome{Verdict: verdicts[e.Outcome.Status], Bound: positionMessage(e.Outcome.Bound, records.Position{})}
	if h := e.newer(); h != nil {
		i := addRecord(m, h)
		o.Held = &i
	}
	for _, r := range e.Outcome.Displaced {
		o.Displaced = append(o.Displaced, addRecord(m, r))
	}
	m.Outcomes = append(m.Outcomes, o)
}

func addRecord(m *pb.PutReply, r *records.Record) uint32 {
	m.Records = append(m.Records, r.Bytes())
	return uint32(len(m.Records) - 1)
}

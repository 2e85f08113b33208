package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/semaphore"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// A page is one frame of buckets under way. Room for the largest is taken before
// the store is read, and what is not needed given back when it is sent.
type page struct {
	id    uint64
	reply *pb.FetchReply
	bytes int
}

const (
	pageRoom  = protocol.MaxReply // of a page, frame included
	pageBytes = pageRoom - 64     // for buckets, of a page
)

// fetch answers queries in their order, as many to a frame as it holds.
func (x *session) fetch(ctx context.Context, id uint64, m *pb.Fetch) error {
	if n := len(m.GetQueries()); n == 0 || n > protocol.MaxQueries {
		return x.refuse(ctx, id, &Refusal{TooLarge, fmt.Sprintf("%d queries, at most %d and at least one", n, protocol.MaxQueries)})
	}
	if err := x.firstRoom(ctx); err != nil {
		if errors.Is(err, errNoRoom) {
			return x.refuse(ctx, id, &Refusal{Busy, "too many replies wait for slow readers"})
		}
		return err
	}
	p := page{id: id, reply: &pb.FetchReply{}}
	left := protocol.MaxAnswer
	for _, query := range m.GetQueries() {
		b := x.bucket(query, left)
		n := bucketSize(b)
		if p.bytes+n > pageBytes {
			if err := x.sendPage(p, true); err != nil {
				return err
			}
			if err := take(ctx, pageRoom, x.visitor.replies, x.gate.replies); err != nil {
				return err
			}
			p = page{id: id, reply: &pb.FetchReply{}}
		}
		p.reply.Buckets = append(p.reply.Buckets, b)
		p.bytes += n
		left -= n
	}
	return x.sendPage(p, false)
}

// errNoRoom is that others have left no room for a reply.
var errNoRoom = fmt.Errorf("no room for a reply in %s", protocol.ReplyRoomWait)

// firstRoom takes room for a page. It waits as long as it must for this peer to
// take its replies, and not long for others.
func (x *session) firstRoom(ctx context.Context) error {
	if err := take(ctx, pageRoom, x.visitor.replies); err != nil {
		return err
	}
	if err := takeSoon(ctx, pageRoom, x.gate.replies); err != nil {
		giveBack(pageRoom, x.visitor.replies)
		return err
	}
	return nil
}

// takeSoon takes n of a room that others use too, and does not wait long for them.
func takeSoon(ctx context.Context, n int64, room *semaphore.Weighted) error {
	ctx, cancel := context.WithTimeoutCause(ctx, protocol.ReplyRoomWait, errNoRoom)
	defer cancel()
	return take(ctx, n, room)
}

// sendPage queues a page.
func (x *session) sendPage(p page, more bool) error {
	return x.sendInRoom(&pb.Reply{Id: p.id, More: more, Body: &pb.Reply_Fetch{Fetch: p.reply}})
}

// sendInRoom queues a reply for which room for a page was taken, and gives back
// what it does not need.
func (x *session) sendInRoom(m *pb.Reply) error {
	f, err := x.frame(m)
	if err != nil {
		giveBack(pageRoom, x.visitor.replies, x.gate.replies)
		return err
	}
	n := int64(f.Size())
	giveBack(pageRoom-n, x.visitor.replies, x.gate.replies)
	return x.send(f, n)
}

// bucket answers one query in at most left bytes.
func (x *session) bucket(m *pb.Query, left int) *pb.Bucket {
	q, err := queryOf(m)
	if err != nil {
		return x.refusedBucket(refuse(err))
	}
	tooLarge := &Refusal{TooLarge, "no room left in this answer"}
	if left < 2*records.MaxRecord {
		return x.refusedBucket(tooLarge)
	}
	b, err := x.cfg.Store.Bucket(q)
	if err != nil && !errors.As(err, new(*Refusal)) {
		x.cfg.Log.Error("read bucket for a peer", "peer_id", x.peer(), "place", q.Place, "err", err)
		b, err = x.cfg.Store.Bucket(q)
	}
	if err != nil {
		return x.refusedBucket(refuse(err))
	}
	out := bucketMessage(b)
	if q.Print {
		out.Fingerprint = fingerprintMessage(b.Fingerprint)
	}
	n := bucketSize(out)
	if n > left {
		return x.refusedBucket(tooLarge)
	}
	x.heated(q, out, min(left, pageBytes)-n)
	x.counts.buckets.Add(1)
	return out
}

func (x *session) refusedBucket(r *Refusal) *pb.Bucket {
	x.counts.refuse(r)
	return &pb.Bucket{Refusal: r.message()}
}

// bucketMessage is b on the wire, cut to what a page holds: the rest is more.
func bucketMessage(b records.Bucket) *pb.Bucket {
	newestFirst := func(v, w *records.Record) int { return b.Place.Position(w).Compare(b.Place.Position(v)) }
	witnesses := slices.SortedFunc(slices.Values(b.Witnesses), newestFirst)
	room := pageBytes - bucketOverhead
	roomOfWitnesses := room
	if len(b.Records) > 0 {
		roomOfWitnesses /= 2 // however many are on their way down, the page gets further
	}
	w := fitting(witnesses, roomOfWitnesses)
	for _, r := range witnesses[:w] {
		room -= len(r.Bytes()) + recordOverhead
	}
	n := fitting(b.Records, room)
	return &pb.Bucket{
		Records: bytesOf(b.Records[:n]), Witnesses: bytesOf(witnesses[:w]),
		Count: uint32(b.Count), More: b.More || n < len(b.Records),
	}
}

// bucketOverhead is more than a bucket takes besides its records: count, more, fingerprint, tags.
const bucketOverhead = 96

// fitting is how many of rs fit into so many bytes.
func fitting(rs []*records.Record, room int) int {
	for i, r := range rs {
		if room -= len(r.Bytes()) + recordOverhead; room < 0 {
			return i
		}
	}
	return len(rs)
}

// bucketSize is at least what b takes in a frame.
func bucketSize(b *pb.Bucket) int {
	n := bucketOverhead
	for _, r := range b.GetRecords() {
		n += len(r) + recordOverhead
	}
	for _, r := range b.GetWitnesses() {
		n += len(r) + recordOverhead
	}
	for _, c := range b.GetCopies() {
		n += len(c) + recordOverhead
	}
	if r := b.GetRefusal(); r != nil {
		n += len(r.GetSentence())
	}
	return n
}

package exchange

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// Mark is a place among the arrivals at one root, as one peer counts them. With
// an epoch of 0 it is now.
type Mark struct {
	Root     records.Place
	Epoch    uint64
	Sequence uint64
}

// Arrival is a record that arrived at a root, and the mark to resume after it. One
// without a record says that the root is being followed from its mark on; with
// Gap, that records which arrived before the mark were missed.
type Arrival struct {
	Mark   Mark
	Record *records.Record
	Gap    bool
}

// Follow yields what arrives at roots that p holds, after the given marks, until
// ctx ends or the caller has enough. It begins with one arrival without a record
// for every root; records that arrive after that are not missed without a gap
// being told. A stream that breaks is opened again and resumed. An error ends the
// sequence: [ErrUnavailable], [ErrProtocol], a [*Refusal], or that of ctx.
//
// It runs on the caller's goroutine. A caller that is slow for long is told a gap.
func (c *Client) Follow(ctx context.Context, p peer.ID, from []Mark) iter.Seq2[Arrival, error] {
	return func(yield func(Arrival, error) bool) {
		f := &following{
			Client: c, peer: p, marks: slices.Clone(from), told: make([]bool, len(from)),
			yield: func(a Arrival) bool { return yield(a, nil) },
		}
		for failures := 0; failures <= protocol.FollowReopenLimit; failures++ {
			if pause(ctx, failures) != nil {
				break
			}
			err := f.listen(ctx, &failures)
			switch {
			case err == nil:
				return
			case !errors.Is(err, ErrUnavailable) || failures == protocol.FollowReopenLimit:
				yield(Arrival{}, fmt.Errorf("follow %d roots at %s: %w", len(from), p, err))
				return
			}
		}
		yield(Arrival{}, fmt.Errorf("follow %d roots at %s: %w", len(from), p, context.Cause(ctx)))
	}
}

// pause waits before a stream is opened again after so many failures in a row:
// not at all, then 1, 4, 9 seconds.
func pause(ctx context.Context, failures int) error {
	t := time.NewTimer(time.Duration(max(failures-1, 0)*max(failures-1, 0)) * time.Second)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// following is what Follow knows between one stream and the next.
type following struct {
	*Client
	peer  peer.ID
	marks []Mark
	told  []bool // whether the caller knows that a root is followed
	yield func(Arrival) bool
}

// errEnough is that the caller wants no more.
var errEnough = errors.New("enough")

// listen follows on one stream until that ends; nil means that the caller wants no
// more. It sets failures to 0 once the peer has answered.
func (f *following) listen(ctx context.Context, failures *int) error {
	stream, err := f.open(ctx, f.peer)
	if err != nil {
		return f.ended(ctx, fmt.Errorf("%w: open stream: %w", ErrUnavailable, err))
	}
	stop := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stop()
	defer stream.Reset() //nolint:errcheck // there is nothing left to say to the peer
	if err := f.ask(stream); err != nil {
		return f.ended(ctx, fmt.Errorf("%w: %w", ErrUnavailable, err))
	}
	marked := make([]bool, len(f.marks))
	frames := protocol.NewFrameReader(stream, protocol.MaxReply, protocol.FollowSilence)
	for {
		b, err := frames.Next()
		if err != nil {
			return f.ended(ctx, streamError(err))
		}
		if err := f.hear(b, marked); err != nil {
			return f.ended(ctx, err)
		}
		*failures = 0
	}
}

// ended says why listening did: ctx first, as everything else follows from that.
func (f *following) ended(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errEnough):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// followID is the id of the one request on a stream that is followed.
const followID = 1

func (f *following) ask(stream network.Stream) error {
	m := &pb.Follow{}
	for _, k := range f.marks {
		m.Roots = append(m.Roots, &pb.Root{Place: k.Root.Bytes(), Epoch: k.Epoch, Sequence: k.Sequence})
	}
	req := &pb.Request{Id: followID, Body: &pb.Request_Follow{Follow: m}}
	frame, err := protocol.NewFrame(req, protocol.MaxRequest)
	if err != nil {
		return err
	}
	b, err := frame.Append(nil)
	if err != nil {
		return err
	}
	if err := stream.SetWriteDeadline(time.Now().Add(protocol.FrameTime(len(b)))); err != nil {
		return err
	}
	_, err = stream.Write(b)
	return err
}

// hear takes one frame in and yields what it holds.
func (f *following) hear(b []byte, marked []bool) error {
	reply, err := decodeReply(b)
	if err != nil {
		return err
	}
	f.note(f.peer, reply)
	f.asked(f.peer)
	if r := reply.GetRefusal(); r != nil {
		return refusalOf(r)
	}
	if reply.GetId() != followID || !reply.GetMore() || reply.GetFollow() == nil {
		return violation("something else on a stream that is followed")
	}
	for _, a := range reply.GetFollow().GetArrivals() {
		if a.GetRoot() >= uint32(len(f.marks)) {
			return violation("arrival at root %d of %d", a.GetRoot(), len(f.marks))
		}
		if a.GetRecord() == nil {
			err = f.mark(a, marked)
		} else {
			err = f.arrival(a, marked)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mark notes where the peer says that we stand.
func (f *following) mark(a *pb.Arrival, marked []bool) error {
	i := a.GetRoot()
	k := &f.marks[i]
	same := a.GetEpoch() == k.Epoch
	switch {
	case a.GetEpoch() == 0, same && a.GetSequence() < k.Sequence:
		return violation("mark of epoch %d leads back", a.GetEpoch())
	case !a.GetGap() && marked[i]:
		return violation("mark without a gap")
	case !a.GetGap() && k.Epoch != 0 && (!same || a.GetSequence() != k.Sequence):
		return violation("mark elsewhere without a gap")
	}
	marked[i] = true
	k.Epoch, k.Sequence = a.GetEpoch(), a.GetSequence()
	if f.told[i] && !a.GetGap() {
		return nil
	}
	f.told[i] = true
	return f.pass(Arrival{Mark: *k, Gap: a.GetGap()})
}

// arrival lets a record in and passes it on. One that is ahead of our clock is
// left out: the peer's may be right.
func (f *following) arrival(a *pb.Arrival, marked []bool) error {
	i := a.GetRoot()
	k := &f.marks[i]
	if !marked[i] || a.GetEpoch() != 0 || a.GetGap() || a.GetSequence() != k.Sequence+1 {
		return violation("arrival %d after %d", a.GetSequence(), k.Sequence)
	}
	k.Sequence++
	r, err := f.door.Open(a.GetRecord(), f.now())
	if errors.Is(err, records.ErrFuture) {
		return nil
	}
	if err == nil {
		err = records.Fits(r, k.Root)
	}
	if err != nil {
		return violation("arrival at %s: %w", k.Root, err)
	}
	return f.pass(Arrival{Mark: *k, Record: r})
}

func (f *following) pass(a Arrival) error {
	if !f.yield(a) {
		return errEnough
	}
	return nil
}

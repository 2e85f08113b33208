package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// errTalkative is a peer that follows and yet sends something.
var errTalkative = errors.New("peer sent a frame while it follows")

// follow makes the stream one on which the peer hears what arrives at roots. It
// returns when the peer has closed it.
func (x *session) follow(ctx context.Context, id uint64, m *pb.Follow) error {
	from, r := x.marks(m)
	if r != nil {
		return x.refuse(ctx, id, r)
	}
	if err := x.gate.follow(x.visitor, len(from)); err != nil {
		return x.refuse(ctx, id, refuse(err))
	}
	defer x.gate.unfollow(x.visitor, len(from))
	f := x.board.follow(from)
	defer x.board.unfollow(f)

	ctx, cancel := context.WithCancel(ctx)
	var teller sync.WaitGroup
	teller.Go(func() {
		if err := x.tell(ctx, id, f, from); err != nil {
			x.fail(err)
		}
	})
	defer teller.Wait()
	defer cancel()
	return x.awaitClose()
}

// awaitClose returns when the peer closes its half.
func (x *session) awaitClose() error {
	if err := x.frames.WaitForEver(); err != nil {
		return err
	}
	_, err := x.frames.Length()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return errTalkative
	}
	return err
}

// marks reads what a stranger wants to follow.
func (x *session) marks(m *pb.Follow) ([]Mark, *Refusal) {
	n := len(m.GetRoots())
	if n == 0 || n > protocol.MaxRoots {
		return nil, &Refusal{TooLarge, fmt.Sprintf("%d roots, at most %d and at least one", n, protocol.MaxRoots)}
	}
	known := make(map[records.Place]bool, n)
	from := make([]Mark, n)
	for i, r := range m.GetRoots() {
		p, err := records.ParsePlace(r.GetPlace())
		switch {
		case err != nil:
			return nil, refuse(err)
		case !p.IsRoot(), known[p]:
			return nil, &Refusal{Malformed, fmt.Sprintf("root %d is not one, or stands twice", i)}
		case !x.member(p.Coordinate()):
			return nil, &Refusal{NotAMember, fmt.Sprintf("root %d is not within the %d bits held here", i, x.cfg.Region.Prefix())}
		}
		known[p] = true
		from[i] = Mark{Root: p, Epoch: r.GetEpoch(), Sequence: r.GetSequence()}
	}
	return from, nil
}

// tell sends a follower its news until ctx ends, or until one of its roots is no
// longer ours to hear of.
func (x *session) tell(ctx context.Context, id uint64, f *follower, from []Mark) error {
	alive := time.NewTicker(protocol.FollowKeepAlive)
	defer alive.Stop()
	for {
		marks, read := x.board.next(f, protocol.FollowBatchBytes)
		if len(marks)+len(read) > 0 {
			if err := x.replyNow(ctx, followReply(id, marks, read)); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-alive.C:
			x.cfg.Asked(x.peer())
			if r := x.moved(from); r != nil {
				return x.dismiss(ctx, id, r)
			}
			if err := x.replyNow(ctx, followReply(id, nil, nil)); err != nil {
				return err
			}
		}
	}
}

// replyNow queues a frame and waits until the stream has taken it, so that a slow
// follower falls behind on the board, where it costs nothing.
func (x *session) replyNow(ctx context.Context, m *pb.Reply) error {
	if err := x.reply(ctx, m); err != nil {
		return err
	}
	select {
	case <-x.written:
	case <-ctx.Done():
	}
	return nil
}

// dismiss tells a follower why it hears no more, and gives it time to take that in.
func (x *session) dismiss(ctx context.Context, id uint64, r *Refusal) error {
	if err := x.refuse(ctx, id, r); err != nil {
		return err
	}
	return x.stream.SetReadDeadline(time.Now().Add(protocol.FrameTime(0)))
}

// moved is a refusal once one of the roots is no longer held here.
func (x *session) moved(from []Mark) *Refusal {
	for _, m := range from {
		if !x.member(m.Root.Coordinate()) {
			return &Refusal{NotAMember, fmt.Sprintf("%s is no longer held here", m.Root)}
		}
	}
	return nil
}

func followReply(id uint64, marks []mark, read []news) *pb.Reply {
	m := &pb.FollowReply{}
	for _, k := range marks {
		m.Arrivals = append(m.Arrivals, &pb.Arrival{Root: uint32(k.root), Sequence: k.sequence, Epoch: k.epoch, Gap: k.gap})
	}
	for _, n := range read {
		m.Arrivals = append(m.Arrivals, &pb.Arrival{Root: uint32(n.root), Sequence: n.sequence, Record: n.record.Bytes()})
	}
	return &pb.Reply{Id: id, More: true, Body: &pb.Reply_Follow{Follow: m}}
}

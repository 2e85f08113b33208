package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/semaphore"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
)

// A session is a stream that a peer opened. Its goroutine reads requests; each is
// handled on a goroutine of its own, so that the puts of one stream share the
// store's commits; one more writes what they answer, while there is something.
type session struct {
	*Server
	stream  network.Stream
	visitor *visitor
	frames  *protocol.FrameReader
	out     *sender
	room    *semaphore.Weighted     // units of this stream's requests in work
	work    sync.WaitGroup          // requests in work
	fail    context.CancelCauseFunc // ends the session and says why
	written chan struct{}           // holds a token after a write
	until   time.Time               // the write deadline; the writer's own
	drawn   uint64                  // the run of the peer, 0 if it does not say; the reader's own
	twin    atomic.Bool             // whether another run of the peer asks as well
}

func newSession(s *Server, stream network.Stream, v *visitor, fail context.CancelCauseFunc) *session {
	return &session{
		Server: s, stream: stream, visitor: v, fail: fail, out: &sender{},
		frames: protocol.NewFrameReader(stream, protocol.MaxRequest, protocol.ServerIdle),
		room:   semaphore.NewWeighted(protocol.MaxInFlight), written: make(chan struct{}, 1),
	}
}

// errFollowFirst is a follow on a stream that carries other requests.
var errFollowFirst = errors.New("follow is not the first request of its stream")

// run serves until the peer has closed its half and has all its answers, or ctx
// ends.
func (x *session) run(ctx context.Context) {
	x.out.begin(outlet{
		Writer: x.stream, ready: x.beforeWrite, done: x.afterWrite,
		failed: func(err error) { x.fail(fmt.Errorf("write: %w", err)) },
	})
	if err := x.read(ctx); err != nil {
		x.fail(err)
	}
	x.work.Wait()
	x.out.end()
}

// beforeWrite sets a deadline for a write of n bytes, unless one stands that is
// not much earlier: setting it costs more than a small write.
func (x *session) beforeWrite(n int) error {
	d := protocol.FrameTime(n)
	until := time.Now().Add(d)
	if early := until.Sub(x.until); early >= 0 && early < d/8 {
		return nil
	}
	x.until = until
	return x.stream.SetWriteDeadline(until)
}

// afterWrite gives back the room of replies that were sent or never will be.
func (x *session) afterWrite(n int, large int64) {
	x.visitor.replies.Release(int64(n))
	x.gate.replies.Release(large)
	select {
	case x.written <- struct{}{}:
	default: // nobody waits for it
	}
}

func (x *session) peer() peer.ID { return x.stream.Conn().RemotePeer() }

// read takes requests off the stream until the peer closes it.
func (x *session) read(ctx context.Context) error {
	for first := true; ; first = false {
		req, room, err := x.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		x.counts.request(req)
		x.noteRun(req)
		if asks(req) {
			x.cfg.Asked(x.peer())
		}
		if f := req.GetFollow(); f != nil {
			x.finish(room)
			if !first {
				return errFollowFirst
			}
			return x.follow(ctx, req.GetId(), f)
		}
		x.work.Add(1)
		x.crew.do(func() {
			defer x.work.Done()
			defer x.finish(room)
			x.answer(ctx, req)
		})
	}
}

// noteRun looks which run of the peer asks.
func (x *session) noteRun(req *pb.Request) {
	if run := req.GetRun(); run != 0 {
		x.drawn = run
	}
	if x.drawn != 0 {
		x.twin.Store(x.runs.asked(x.peer(), x.drawn, time.Now()))
	}
}

// asks tells whether somebody wants something: other requests are the network's upkeep.
func asks(req *pb.Request) bool {
	return req.GetPut() != nil || req.GetFetch() != nil || req.GetFollow() != nil
}

// next is the next request. There is room for it before its body is read.
func (x *session) next(ctx context.Context) (req *pb.Request, room int64, err error) {
	n, err := x.frames.Length()
	if err != nil {
		return nil, 0, err
	}
	room = units(n)
	if err := take(ctx, room, x.room, x.visitor.requests, x.gate.requests); err != nil {
		return nil, 0, err
	}
	x.gate.working.Add(room)
	b, err := x.frames.Body(n)
	if err == nil {
		req, err = decodeRequest(b)
	}
	if err != nil {
		x.finish(room)
		x.cfg.Offences.Count(x.peer(), 1)
		return nil, 0, err
	}
	return req, room, nil
}

func (x *session) finish(room int64) {
	x.gate.working.Add(-room)
	giveBack(room, x.room, x.visitor.requests, x.gate.requests)
}

// answer handles one request. What cannot be answered ends the session. It has no
// deadline of its own: who waits for it has, and then hangs up.
func (x *session) answer(ctx context.Context, req *pb.Request) {
	var err error
	switch body := req.GetBody().(type) {
	case *pb.Request_Put:
		err = x.put(ctx, req.GetId(), body.Put)
	case *pb.Request_Fetch:
		err = x.fetch(ctx, req.GetId(), body.Fetch)
	case *pb.Request_Reconcile:
		err = x.reconcile(ctx, req.GetId(), body.Reconcile)
	case *pb.Request_Offer:
		err = x.offer(ctx, req.GetId(), body.Offer)
	case *pb.Request_Status:
		err = x.reply(ctx, x.status(req.GetId()))
	default:
		err = x.refuse(ctx, req.GetId(), &Refusal{Malformed, "unknown request"})
	}
	if err != nil {
		x.fail(err)
	}
}

func (x *session) refuse(ctx context.Context, id uint64, r *Refusal) error {
	x.counts.refuse(r)
	return x.reply(ctx, &pb.Reply{Id: id, Body: &pb.Reply_Refusal{Refusal: r.message()}})
}

// reply queues one frame of an answer once there is room for it. A small one waits
// for this peer alone to take earlier ones.
func (x *session) reply(ctx context.Context, m *pb.Reply) error {
	f, err := x.frame(m)
	if err != nil {
		return err
	}
	n := int64(f.Size())
	if n <= protocol.SmallReply {
		if err := take(ctx, n, x.visitor.replies); err != nil {
			return err
		}
		return x.send(f, 0)
	}
	if err := take(ctx, n, x.visitor.replies, x.gate.replies); err != nil {
		return err
	}
	return x.send(f, n)
}

func (x *session) frame(m *pb.Reply) (protocol.Frame, error) {
	m.Prefix, m.Twin = uint32(x.cfg.Region.Prefix()), x.twin.Load()
	return protocol.NewFrame(m, protocol.MaxReply)
}

// send queues a frame for which room was taken: large of the server's, all of it of
// the peer's.
func (x *session) send(f protocol.Frame, large int64) error {
	if _, err := x.out.add(f, large); err != nil {
		giveBack(int64(f.Size()), x.visitor.replies)
		giveBack(large, x.gate.replies)
		return err
	}
	return nil
}

func (x *session) status(id uint64) *pb.Reply {
	s := x.cfg.Status()
	return &pb.Reply{Id: id, Body: &pb.Reply_Status{Status: &pb.Status{
		Version: s.Version, Network: x.cfg.Door.Network().ID(), Load: uint32(1000 * x.gate.load()),
		Records: uint64(s.Records), Bytes: uint64(s.Bytes), Limits: ownLimits().message(),
	}}}
}

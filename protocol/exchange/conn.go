package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/semaphore"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
)

// A conn is the stream of requests that a client keeps to one peer, from before
// it is open until it has died. Requests are numbered; two goroutines, one that
// writes and one that reads, carry them and their answers.
type conn struct {
	peer   peer.ID
	room   *semaphore.Weighted // in units of protocol.RequestUnit
	out    *sender
	drawn  uint64             // our run, told with the first request
	heard  func(*pb.Reply)    // told of every frame of an answer
	cancel context.CancelFunc // ends an opening that is under way
	timer  *time.Timer        // calls check, at least once in a RequestTimeout
	last   atomic.Uint64      // id of the last request

	mu     sync.Mutex // protects what follows
	stream network.Stream
	calls  map[uint64]*call // in flight, also those whose caller has gone
	active time.Time        // when a call last began or was answered
	err    error            // why the conn has ended
}

// A call is a request in flight. It keeps its room until it is answered, whether
// or not somebody still waits: what the peer has not done with is not over.
type call struct {
	at    uint64 // where its frame begins in what is sent
	units int64
	begun time.Time
	most  int           // bytes that its answer may still have
	over  bool          // done is closed; protected by the conn
	done  chan struct{} // closed once answer or err is complete

	answer []*pb.Reply
	err    error
}

// finish hands the call back to whoever waits for it, once.
func (k *call) finish(err error) {
	if k.over {
		return
	}
	k.over, k.err = true, err
	close(k.done)
}

var (
	errIdle     = errors.New("stream was idle")
	errUnsent   = errors.New("request was not sent")
	errNoAnswer = fmt.Errorf("%w: no answer in %s", ErrUnavailable, protocol.RequestTimeout)
)

// newConn makes a conn whose timer runs.
func newConn(p peer.ID, run uint64, heard func(*pb.Reply), cancel context.CancelFunc) *conn {
	c := &conn{
		peer: p, room: semaphore.NewWeighted(protocol.MaxInFlight), out: &sender{}, drawn: run, heard: heard, cancel: cancel,
		calls: map[uint64]*call{}, active: time.Now(),
	}
	c.mu.Lock()
	defer c.mu.Unlock() // the timer is set before it can be looked at
	c.timer = time.AfterFunc(protocol.RequestTimeout, c.check)
	return c
}

// do sends a request and waits for its answer, of at most so many bytes.
func (c *conn) do(ctx context.Context, req *pb.Request, most int) ([]*pb.Reply, error) {
	if req.Id = c.last.Add(1); req.Id == 1 {
		req.Run = c.drawn
	}
	frame, err := protocol.NewFrame(req, protocol.MaxRequest)
	if err != nil {
		return nil, err
	}
	k := &call{units: units(frame.Size()), most: most, done: make(chan struct{})}
	if err := c.enter(ctx, k.units); err != nil {
		return nil, err
	}
	if err := c.begin(k, req.GetId(), frame); err != nil {
		c.room.Release(k.units)
		return nil, err
	}
	select {
	case <-k.done:
		count(ctx, frame.Size(), most-k.most)
		return k.answer, k.err
	case <-ctx.Done():
		count(ctx, frame.Size(), 0)
		return nil, context.Cause(ctx)
	}
}

// enter waits for room in flight.
func (c *conn) enter(ctx context.Context, units int64) error {
	if c.room.TryAcquire(units) {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, protocol.RequestTimeout, errNoAnswer)
	defer cancel()
	if err := c.room.Acquire(ctx, units); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// units is what a request of n bytes costs of the room for requests in flight.
func units(n int) int64 { return int64((n + protocol.RequestUnit - 1) / protocol.RequestUnit) }

func (c *conn) begin(k *call, id uint64, frame protocol.Frame) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return fmt.Errorf("%w: %w", errUnsent, c.err)
	}
	if k.at, err = c.out.add(frame, 0); err != nil {
		return err
	}
	k.begun = time.Now()
	if len(c.calls) == 0 {
		c.active = k.begun
	}
	c.calls[id] = k
	return nil
}

// run opens the stream and carries requests until it ends.
func (c *conn) run(ctx context.Context, open func(context.Context, peer.ID) (network.Stream, error)) {
	stream, err := open(ctx, c.peer)
	if err != nil {
		c.fail(fmt.Errorf("%w: open stream: %w", ErrUnavailable, err))
		return
	}
	if !c.opened(stream) {
		_ = stream.Reset() // the client was closed meanwhile
		return
	}
	c.out.begin(outlet{
		Writer: stream, ready: func(int) error { return nil }, done: func(int, int64) {},
		failed: func(err error) { c.fail(fmt.Errorf("%w: write: %w", ErrUnavailable, err)) },
	})
	c.fail(c.read(stream))
	c.out.end()
}

func (c *conn) opened(stream network.Stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.stream = stream
	return true
}

// read takes answers off the stream until it ends, and says why it did.
func (c *conn) read(stream network.Stream) error {
	frames := protocol.NewFrameReader(stream, protocol.MaxReply, 0)
	for {
		b, err := frames.Next()
		if err != nil {
			return streamError(err)
		}
		reply, err := decodeReply(b)
		if err != nil {
			return err
		}
		c.heard(reply) // first: who goes by the answer may go by that too
		if err := c.deliver(reply, len(b)); err != nil {
			return err
		}
	}
}

// streamError tells a peer's misframing from its absence.
func streamError(err error) error {
	for _, broken := range []error{protocol.ErrFrameTooLarge, protocol.ErrFrameEmpty, protocol.ErrFrameLength} {
		if errors.Is(err, broken) {
			return fmt.Errorf("%w: %w", ErrProtocol, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// deliver adds a frame of n bytes to the answer it belongs to.
func (c *conn) deliver(reply *pb.Reply, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.calls[reply.GetId()]
	if k == nil {
		return fmt.Errorf("%w: answer to request %d, which is not in flight", ErrProtocol, reply.GetId())
	}
	if k.most -= n; k.most < 0 {
		return fmt.Errorf("%w: answer is larger than anything asked for", ErrProtocol)
	}
	c.active = time.Now()
	if !k.over {
		k.answer = append(k.answer, reply)
	}
	if reply.GetMore() {
		return nil
	}
	delete(c.calls, reply.GetId())
	c.room.Release(k.units)
	k.finish(nil)
	return nil
}

// check is called by the timer: it gives up requests that nobody answers, and the
// stream when it is idle or when the peer leaves a request unanswered for ever.
func (c *conn) check() {
	left, err := c.state(time.Now())
	if err != nil {
		c.fail(err)
		return
	}
	c.timer.Reset(left)
}

// state is how long the conn is well, at most a RequestTimeout, or why it is not.
func (c *conn) state(now time.Time) (left time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left = protocol.RequestTimeout
	switch idle := protocol.ClientIdle - now.Sub(c.active); {
	case c.err != nil:
		return 0, c.err
	case len(c.calls) == 0 && idle <= 0:
		return 0, errIdle
	case len(c.calls) == 0:
		return min(left, idle), nil
	}
	for _, k := range c.calls {
		age := now.Sub(k.begun)
		if age >= protocol.RequestTimeout {
			k.finish(errNoAnswer)
		}
		if age >= protocol.AnswerTimeout {
			return 0, fmt.Errorf("%w: a request was not answered in %s", ErrUnavailable, protocol.AnswerTimeout)
		}
		left = min(left, next(age)-age)
	}
	return left, nil
}

// next is the age at which a call has to be looked at again.
func next(age time.Duration) time.Duration {
	if age < protocol.RequestTimeout {
		return protocol.RequestTimeout
	}
	return protocol.AnswerTimeout
}

// fail ends the conn, once, and with it every call in flight.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	stream := c.stream
	c.cancel()
	c.timer.Stop()
	c.out.close()
	for _, k := range c.calls {
		c.room.Release(k.units)
		if stream != nil && c.out.unsent(k.at) {
			k.finish(fmt.Errorf("%w: %w", errUnsent, err))
		}
		k.finish(err)
	}
	c.calls = nil
	c.mu.Unlock()
	if stream != nil {
		hangUp(stream, err) // which may block
	}
}

func hangUp(stream network.Stream, err error) {
	if errors.Is(err, errIdle) {
		_ = stream.Close() // nothing is under way
		return
	}
	_ = stream.Reset()
}

// ended is why the conn has ended, nil while it lives.
func (c *conn) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

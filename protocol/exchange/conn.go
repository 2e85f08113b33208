package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/semaphore"
	"google.golang.org/protobuf/proto"

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
	heard  func(prefix int)   // told the peer's prefix with every answer
	cancel context.CancelFunc // ends an opening that is under way
	timer  *time.Timer        // calls check

	mu     sync.Mutex // protects what follows
	stream network.Stream
	calls  map[uint64]*call // in flight, also those whose caller has gone
	last   uint64           // id of the last request
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
	done  chan struct{} // closed once answer or err is complete

	answer []*pb.Reply
	err    error
}

var (
	errIdle   = errors.New("stream was idle")
	errUnsent = errors.New("request was not sent")
)

func newConn(p peer.ID, heard func(int), cancel context.CancelFunc) *conn {
	return &conn{
		peer: p, room: semaphore.NewWeighted(protocol.MaxInFlight), out: newSender(), heard: heard, cancel: cancel,
		calls: map[uint64]*call{}, active: time.Now(),
	}
}

// do sends a request and waits for its answer, of at most so many bytes.
func (c *conn) do(ctx context.Context, req *pb.Request, most int) ([]*pb.Reply, error) {
	k := &call{units: units(proto.Size(req)), most: most, done: make(chan struct{})}
	if err := c.room.Acquire(ctx, k.units); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := c.begin(k, req); err != nil {
		c.room.Release(k.units)
		return nil, err
	}
	select {
	case <-k.done:
		return k.answer, k.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// units is what a request of n bytes costs of the room for requests in flight.
func units(n int) int64 { return int64((n + protocol.RequestUnit - 1) / protocol.RequestUnit) }

func (c *conn) begin(k *call, req *pb.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return fmt.Errorf("%w: %w", errUnsent, c.err)
	}
	c.last++
	req.Id = c.last
	at, _, err := c.out.add(req, protocol.MaxRequest, 0)
	if err != nil {
		return err
	}
	k.at, k.begun = at, time.Now()
	if len(c.calls) == 0 {
		c.active = k.begun
	}
	c.calls[req.Id] = k
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
	var reader sync.WaitGroup
	reader.Go(func() { c.fail(c.read(stream)) })
	err = c.out.run(stream, func(int) error { return nil }, func(int, int64) {})
	if err != nil {
		c.fail(fmt.Errorf("%w: write: %w", ErrUnavailable, err))
	}
	reader.Wait()
}

func (c *conn) opened(stream network.Stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.stream = stream
	c.timer = time.AfterFunc(protocol.AnswerTimeout, c.check)
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
		if err := c.deliver(reply, len(b)); err != nil {
			return err
		}
		c.heard(int(reply.GetPrefix()))
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
	k.answer = append(k.answer, reply)
	if reply.GetMore() {
		return nil
	}
	delete(c.calls, reply.GetId())
	c.room.Release(k.units)
	close(k.done)
	return nil
}

// check is called by the timer: it ends a stream that is idle, or whose peer left
// a request without answer.
func (c *conn) check() {
	left, err := c.state(time.Now())
	if err != nil {
		c.fail(err)
		return
	}
	c.timer.Reset(min(left, protocol.AnswerTimeout))
}

func (c *conn) state(now time.Time) (left time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if len(c.calls) == 0 {
		if left = protocol.ClientIdle - now.Sub(c.active); left <= 0 {
			return 0, errIdle
		}
		return left, nil
	}
	left = protocol.AnswerTimeout
	for _, k := range c.calls {
		left = min(left, protocol.AnswerTimeout-now.Sub(k.begun))
	}
	if left <= 0 {
		return 0, fmt.Errorf("%w: a request was not answered in %s", ErrUnavailable, protocol.AnswerTimeout)
	}
	return left, nil
}

// fail ends the conn, once, and with it every call in flight.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	calls, stream := c.calls, c.stream
	c.calls = nil
	c.mu.Unlock()

	c.cancel()
	c.out.close()
	for _, k := range calls {
		k.err = err
		if stream != nil && c.out.unsent(k.at) {
			k.err = fmt.Errorf("%w: %w", errUnsent, err)
		}
		c.room.Release(k.units)
		close(k.done)
	}
	if stream != nil {
		c.timer.Stop()
		hangUp(stream, err)
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

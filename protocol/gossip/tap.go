package gossip

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	core "github.com/libp2p/go-libp2p/core/protocol"
)

var errTapClosed = errors.New("gossip has ended")

// tap is the host as pubsub sees it. pubsub ends with a context but leaves goroutines that read from peers until these
// hang up, and it drops what does not fit a peer's queue without saying how full it is. Through the tap we end all its
// streams, await its handlers, and see each message leave.
type tap struct {
	host.Host
	id    core.ID
	meter *meter

	handlers sync.WaitGroup // of streams that others opened

	mu      sync.Mutex // protects all below; handlers grow only while it is held
	closed  bool
	streams map[network.Stream]struct{}
}

func newTap(h host.Host, id core.ID, m *meter) *tap {
	return &tap{Host: h, id: id, meter: m, streams: make(map[network.Stream]struct{})}
}

// NewStream opens a stream on which pubsub sends.
func (t *tap) NewStream(ctx context.Context, p peer.ID, ids ...core.ID) (network.Stream, error) {
	s, err := t.Host.NewStream(ctx, p, ids...)
	if err != nil {
		t.meter.gone(p)
		return nil, err
	}
	if !t.enter(s, 0) {
		_ = s.Reset()
		return nil, errTapClosed
	}
	return &sendStream{Stream: s, tap: t, peer: p}, nil
}

// SetStreamHandler serves the streams that others open, as long as the tap is open. Each is read on a goroutine of its
// own: the one that negotiated its protocol has a stack that has grown, and a stream is read as long as its peer is there.
func (t *tap) SetStreamHandler(id core.ID, handle network.StreamHandler) {
	t.Host.SetStreamHandler(id, func(s network.Stream) {
		if !t.enter(s, 1) {
			_ = s.Reset()
			return
		}
		go func() {
			defer t.handlers.Done()
			defer t.leave(s)
			handle(s)
		}()
	})
}

func (t *tap) enter(s network.Stream, handlers int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.streams[s] = struct{}{}
	t.handlers.Add(handlers)
	return true
}

func (t *tap) leave(s network.Stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.streams, s)
}

// close ends every stream and waits for the handlers.
func (t *tap) close() {
	t.RemoveStreamHandler(t.id)
	t.mu.Lock()
	t.closed = true
	open := make([]network.Stream, 0, len(t.streams))
	for s := range t.streams {
		open = append(open, s)
	}
	t.mu.Unlock()
	for _, s := range open {
		_ = s.Reset()
	}
	t.handlers.Wait()
}

// sendStream is a stream on which pubsub sends. pubsub resets each when it is done with it, and writes a message at once.
type sendStream struct {
	network.Stream
	tap  *tap
	peer peer.ID
}

func (s *sendStream) Write(b []byte) (int, error) {
	n, err := s.Stream.Write(b)
	s.tap.meter.wrote(s.peer, time.Now())
	return n, err
}

func (s *sendStream) Reset() error {
	s.tap.leave(s.Stream)
	return s.Stream.Reset()
}

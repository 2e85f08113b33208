package exchange_test

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// A wire joins hosts in memory: streams with a window, deadlines, half closes and
// resets, without time of their own. What every host sent is counted.
type wire struct {
	mu    sync.Mutex // protects hosts and streams
	hosts map[peer.ID]*fakeHost
	opens int
}

// window is how much a stream takes before it is read, as yamux's first window.
const window = 256 << 10

// A fakeHost is the part of a libp2p host that the exchange uses.
type fakeHost struct {
	id   peer.ID
	wire *wire
	sent atomic.Int64                        // bytes
	dial func(context.Context) error         // called before a stream is opened, if set
	wrap func(network.Stream) network.Stream // around a stream just opened, if set

	mu       sync.Mutex // protects what follows
	handlers map[protocol.ID]network.StreamHandler
	serves   *sync.Cond
	open     []*fakeStream // opened by this host or to it
}

func newWire() *wire { return &wire{hosts: map[peer.ID]*fakeHost{}} }

func (w *wire) host(id peer.ID) *fakeHost {
	h := &fakeHost{id: id, wire: w, handlers: map[protocol.ID]network.StreamHandler{}}
	h.serves = sync.NewCond(&h.mu)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[id] = h
	return h
}

func (h *fakeHost) SetStreamHandler(id protocol.ID, f network.StreamHandler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handlers[id] = f
	h.serves.Broadcast()
}

// await returns when the host serves a protocol.
func (h *fakeHost) await(id protocol.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.handlers[id] == nil {
		h.serves.Wait()
	}
}

func (h *fakeHost) RemoveStreamHandler(id protocol.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.handlers, id)
}

func (h *fakeHost) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	if h.dial != nil {
		if err := h.dial(ctx); err != nil {
			return nil, err
		}
	}
	h.wire.mu.Lock()
	far := h.wire.hosts[p]
	h.wire.opens++
	h.wire.mu.Unlock()
	if far == nil {
		return nil, errors.New("no such peer")
	}
	far.mu.Lock()
	handler := far.handlers[ids[0]]
	far.mu.Unlock()
	if handler == nil {
		return nil, errors.New("protocols not supported")
	}
	there, back := newHalf(&h.sent), newHalf(&far.sent)
	near := &fakeStream{protocol: ids[0], conn: fakeConn{local: h.id, remote: p}, in: back, out: there}
	theirs := &fakeStream{protocol: ids[0], conn: fakeConn{local: p, remote: h.id}, in: there, out: back}
	h.add(near)
	far.add(theirs)
	go handler(theirs)
	if h.wrap != nil {
		return h.wrap(near), nil
	}
	return near, nil
}

func (h *fakeHost) add(s *fakeStream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = append(slices.DeleteFunc(h.open, (*fakeStream).over), s)
}

// live is how many of the host's streams are not over.
func (h *fakeHost) live() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = slices.DeleteFunc(h.open, (*fakeStream).over)
	return len(h.open)
}

// disconnect resets every stream of the host.
func (h *fakeHost) disconnect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.open {
		_ = s.Reset()
	}
}

// opened is how many streams were ever asked for.
func (w *wire) opened() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opens
}

// A half is one direction of a stream.
type half struct {
	sent *atomic.Int64

	mu            sync.Mutex // protects what follows
	change        *sync.Cond
	buf           []byte
	closed        bool  // nothing more will be written
	deaf          bool  // nothing more will be read
	err           error // of a reset
	readBy        time.Time
	writeBy       time.Time
	readT, writeT *time.Timer
}

func newHalf(sent *atomic.Int64) *half {
	h := &half{sent: sent}
	h.change = sync.NewCond(&h.mu)
	return h
}

func (h *half) Read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.err != nil:
			return 0, h.err
		case h.deaf:
			return 0, io.ErrClosedPipe
		case len(h.buf) > 0:
			n := copy(p, h.buf)
			h.buf = h.buf[n:]
			h.change.Broadcast()
			return n, nil
		case h.closed:
			return 0, io.EOF
		case passed(h.readBy):
			return 0, os.ErrDeadlineExceeded
		}
		h.change.Wait()
	}
}

func (h *half) Write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(p) > 0 {
		switch room := window - len(h.buf); {
		case h.err != nil:
			return n, h.err
		case h.closed:
			return n, io.ErrClosedPipe
		case passed(h.writeBy):
			return n, os.ErrDeadlineExceeded
		case room > 0 && h.deaf:
			return len(p) + n, nil // nobody will see it
		case room > 0:
			k := min(room, len(p))
			h.buf = append(h.buf, p[:k]...)
			h.sent.Add(int64(k))
			n, p = n+k, p[k:]
			h.change.Broadcast()
		default:
			h.change.Wait()
		}
	}
	return n, nil
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// set changes the half and wakes whoever waits for it.
func (h *half) set(f func(h *half)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
	h.change.Broadcast()
}

// arm sets a deadline, and a timer that wakes whoever it concerns.
func (h *half) arm(by *time.Time, t **time.Timer, at time.Time) {
	h.set(func(h *half) {
		if *t != nil {
			(*t).Stop()
		}
		if *by = at; !at.IsZero() {
			*t = time.AfterFunc(time.Until(at), func() { h.set(func(*half) {}) })
		}
	})
}

// stop ends a half's timers.
func (h *half) stop() {
	for _, t := range []*time.Timer{h.readT, h.writeT} {
		if t != nil {
			t.Stop()
		}
	}
}

// A fakeStream is one end of a stream.
type fakeStream struct {
	protocol protocol.ID
	conn     fakeConn
	in, out  *half
}

func (s *fakeStream) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *fakeStream) Write(p []byte) (int, error) { return s.out.Write(p) }
func (s *fakeStream) CloseWrite() error           { s.out.set(func(h *half) { h.closed = true }); return nil }
func (s *fakeStream) CloseRead() error {
	s.in.set(func(h *half) { h.deaf = true; h.stop() })
	return nil
}
func (s *fakeStream) Close() error { return errors.Join(s.CloseWrite(), s.CloseRead()) }
func (s *fakeStream) SetReadDeadline(t time.Time) error {
	s.in.arm(&s.in.readBy, &s.in.readT, t)
	return nil
}

func (s *fakeStream) SetWriteDeadline(t time.Time) error {
	s.out.arm(&s.out.writeBy, &s.out.writeT, t)
	return nil
}

func (s *fakeStream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}
func (s *fakeStream) Reset() error { return s.ResetWithError(network.StreamNoError) }

// ResetWithError discards what is under way, both ways.
func (s *fakeStream) ResetWithError(code network.StreamErrorCode) error {
	for _, h := range []*half{s.in, s.out} {
		h.set(func(h *half) {
			h.stop()
			if h.err == nil {
				h.buf, h.err = nil, &network.StreamError{ErrorCode: code}
			}
		})
	}
	return nil
}

// over tells whether nothing can pass in either direction any more.
func (s *fakeStream) over() bool {
	over := true
	for _, h := range []*half{s.in, s.out} {
		h.mu.Lock()
		over = over && (h.err != nil || h.closed && (h.deaf || len(h.buf) == 0))
		h.mu.Unlock()
	}
	return over
}

func (s *fakeStream) ID() string                    { return "fake" }
func (s *fakeStream) Protocol() protocol.ID         { return s.protocol }
func (s *fakeStream) SetProtocol(protocol.ID) error { return nil }
func (s *fakeStream) Stat() network.Stats           { return network.Stats{} }
func (s *fakeStream) Conn() network.Conn            { return s.conn }
func (s *fakeStream) Scope() network.StreamScope    { return &network.NullScope{} }
func (s *fakeStream) As(any) bool                   { return false }

// A fakeConn knows who is at its ends. The exchange asks a connection nothing else.
type fakeConn struct {
	network.Conn
	local, remote peer.ID
}

func (c fakeConn) LocalPeer() peer.ID  { return c.local }
func (c fakeConn) RemotePeer() peer.ID { return c.remote }

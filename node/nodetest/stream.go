package nodetest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

var (
	errReadClosed  = errors.New("stream closed for reading")
	errWriteClosed = errors.New("stream closed for writing")
)

// stream is one end of a stream. The connection's mutex protects all its fields but conn and twin, which never change.
type stream struct {
	conn *conn
	twin *stream // the other end, to which segments are addressed; its fields belong to its own connection's mutex

	changed sync.Cond // on conn.mu: anything a Read or Write waits for

	received [][]byte // not yet read
	consumed int      // bytes read since the last window update
	finished bool     // the other end has sent everything
	readErr  error    // why nothing can be read any more
	readBy   deadline

	window   int   // bytes that may be sent
	writeErr error // why nothing can be written any more
	writeBy  deadline
}

var _ network.MuxedStream = (*stream)(nil)

func (c *conn) newStream() *stream {
	s := &stream{conn: c, window: c.pair.links.cfg.Window}
	s.changed.L = &c.mu
	return s
}

// Read waits until something has arrived and returns as much of it as fits.
func (s *stream) Read(b []byte) (int, error) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	for {
		if err := s.cannot(s.readErr, &s.readBy); err != nil {
			return 0, err
		}
		if n := s.pull(b); n > 0 || len(b) == 0 {
			return n, nil
		}
		if s.finished {
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

// pull moves bytes that arrived to b, and lets the other end send more once half a window was read.
func (s *stream) pull(b []byte) (n int) {
	for n < len(b) && len(s.received) > 0 {
		part := copy(b[n:], s.received[0])
		n += part
		if s.received[0] = s.received[0][part:]; len(s.received[0]) == 0 {
			s.received[0] = nil
			s.received = s.received[1:]
		}
	}
	if len(s.received) == 0 {
		s.received = nil // with the room of a burst
	}
	s.consumed += n
	if s.consumed > 0 && s.consumed >= s.conn.pair.links.cfg.Window/2 {
		s.conn.out.send(segment{kind: credit, to: s.twin, n: uint32(s.consumed)})
		s.consumed = 0
	}
	return n
}

// Write waits until all of b is on its way. Its bytes are together on the stream unless another Write runs at the same time.
func (s *stream) Write(b []byte) (n int, err error) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	for {
		if err := s.cannot(s.writeErr, &s.writeBy); err != nil {
			return n, err
		}
		if n += s.push(b[n:]); n == len(b) {
			return n, nil
		}
		s.changed.Wait()
	}
}

// push sends as much of b as the window allows.
func (s *stream) push(b []byte) int {
	n := min(len(b), s.window)
	s.window -= n
	for part := range slices.Chunk(bytes.Clone(b[:n]), maxSegment) {
		s.conn.out.send(segment{kind: data, to: s.twin, data: part})
	}
	return n
}

// cannot returns why a half of the stream may not be used.
func (s *stream) cannot(ended error, by *deadline) error {
	if ended == nil && by.passed() {
		return os.ErrDeadlineExceeded
	}
	return ended
}

// Close closes both halves. What was written before still arrives.
func (s *stream) Close() error {
	if err := s.CloseRead(); err != nil {
		return err
	}
	return s.CloseWrite()
}

// CloseRead gives up reading. The other end is not told.
func (s *stream) CloseRead() error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.endRead(errReadClosed)
	s.settle()
	return nil
}

// CloseWrite tells the other end that nothing more comes.
func (s *stream) CloseWrite() error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if errors.Is(s.writeErr, errWriteClosed) {
		return nil
	}
	if s.writeErr != nil {
		return s.writeErr
	}
	s.writeErr = errWriteClosed
	s.conn.out.send(segment{kind: fin, to: s.twin})
	s.settle()
	return nil
}

// Reset aborts both halves at both ends.
func (s *stream) Reset() error { return s.ResetWithError(network.StreamNoError) }

// ResetWithError aborts both halves at both ends and tells the other end why.
func (s *stream) ResetWithError(code network.StreamErrorCode) error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.over() {
		return nil
	}
	err := &network.StreamError{ErrorCode: code}
	s.endRead(err)
	s.fail(err)
	s.conn.out.send(segment{kind: reset, to: s.twin, n: uint32(code)})
	return nil
}

func (s *stream) endRead(err error) {
	if s.readErr == nil {
		s.readErr, s.received = err, nil
	}
}

// fail ends the halves that are not complete. What a finished sender sent can still be read.
func (s *stream) fail(err error) {
	if !s.finished {
		s.endRead(err)
	}
	if s.writeErr == nil {
		s.writeErr = err
	}
	s.settle()
}

// over tells whether the stream carries nothing any more in either direction.
func (s *stream) over() bool { return s.writeErr != nil && (s.readErr != nil || s.finished) }

// settle wakes who waits after a half has ended, and forgets the stream when both have.
func (s *stream) settle() {
	s.changed.Broadcast()
	if s.over() {
		delete(s.conn.streams, s)
		s.readBy.stop()
		s.writeBy.stop()
	}
}

// accept takes bytes from the other end. Bytes that nobody will read are dropped and never credited.
func (s *stream) accept(b []byte) {
	if s.readErr == nil {
		s.received = append(s.received, b)
		s.changed.Broadcast()
	}
}

// grant enlarges the window.
func (s *stream) grant(n int) {
	s.window += n
	s.changed.Broadcast()
}

// finish notes that the other end has sent everything.
func (s *stream) finish() {
	s.finished = true
	s.settle()
}

// SetDeadline sets both deadlines.
func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline ends present and future Reads at t; the zero time lifts it.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.readErr == nil {
		s.readBy.set(t, s.wake)
		s.changed.Broadcast()
	}
	return nil
}

// SetWriteDeadline ends present and future Writes at t; the zero time lifts it.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.writeErr == nil {
		s.writeBy.set(t, s.wake)
		s.changed.Broadcast()
	}
	return nil
}

func (s *stream) wake() {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.changed.Broadcast()
}

// deadline wakes its stream when it passes. A stream that sets none has no timer.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) set(t time.Time, wake func()) {
	d.stop()
	d.at = t
	switch wait := time.Until(t); {
	case t.IsZero() || wait <= 0:
	case d.timer == nil:
		d.timer = time.AfterFunc(wait, wake)
	default:
		d.timer.Reset(wait)
	}
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// What is wrong with a frame. After any of these the stream has no next frame.
var (
	ErrFrameTooLarge  = errors.New("frame is larger than allowed")
	ErrFrameEmpty     = errors.New("frame is empty")
	ErrFrameLength    = errors.New("length of a frame is not in its shortest form")
	ErrFrameTruncated = errors.New("stream ended within a frame")
	ErrFrameTimeout   = errors.New("frame did not come in time")
)

// Frame is a message whose length is known, ready to be sent. The message must
// not be changed any more.
type Frame struct {
	message proto.Message
	body    int
}

// NewFrame measures m. A message of more than limit bytes is ErrFrameTooLarge.
func NewFrame(m proto.Message, limit int) (Frame, error) {
	n := proto.Size(m)
	if n > limit {
		return Frame{}, fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLarge, n, limit)
	}
	return Frame{m, n}, nil
}

// Size is what Append appends.
func (f Frame) Size() int { return protowire.SizeBytes(f.body) }

// Append appends the frame to b.
func (f Frame) Append(b []byte) ([]byte, error) {
	framed, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(protowire.AppendVarint(b, uint64(f.body)), f.message)
	if err != nil {
		return b, fmt.Errorf("encode frame: %w", err)
	}
	return framed, nil
}

// Source is the reading half of a stream.
type Source interface {
	io.Reader
	SetReadDeadline(time.Time) error
}

// Buffers of a FrameReader: small for an idle stream, of which a node has several for
// each connection, large enough to take many frames in one read from a busy one, and
// not kept after a rare large frame.
const (
	smallBuffer = 512
	busyBuffer  = 32 << 10
	keptBuffer  = 128 << 10
)

// FrameReader takes frames off a stream. It holds no more than twice what has
// really arrived of a frame, whatever length was announced. One goroutine uses it.
type FrameReader struct {
	src   Source
	limit int
	idle  time.Duration
	buf   []byte
	lo    int // buf[lo:hi] has arrived and is not yet taken
	hi    int
	until time.Time // the deadline of src
}

// NewFrameReader reads frames of at most limit bytes. A frame that does not begin
// within idle, or once begun does not come within [FrameTime], is
// ErrFrameTimeout, an eighth early at most; with an idle of 0 the caller watches
// over the time.
func NewFrameReader(src Source, limit int, idle time.Duration) *FrameReader {
	return &FrameReader{src: src, limit: limit, idle: idle}
}

// WaitForEver lets the next frame begin whenever it will.
func (f *FrameReader) WaitForEver() error {
	f.idle, f.until = 0, time.Time{}
	if err := f.src.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear deadline for frame: %w", err)
	}
	return nil
}

// Next returns the next frame, which is valid until the next call. Between
// frames the end of the stream is io.EOF.
func (f *FrameReader) Next() ([]byte, error) {
	n, err := f.Length()
	if err != nil {
		return nil, err
	}
	return f.Body(n)
}

// Length waits for the next frame and returns how long it says it is, between 1
// and the limit. Nothing has been allocated for it yet. Body must follow.
func (f *FrameReader) Length() (int, error) {
	f.recycle()
	armed := false
	for {
		n, width, err := f.header()
		if err != nil {
			return 0, err
		}
		if width > 0 {
			f.lo += width
			return n, nil
		}
		if !armed {
			if err := f.arm(f.idle); err != nil {
				return 0, err
			}
			armed = true
		}
		if err := f.fill(1); err != nil {
			return 0, fmt.Errorf("read length of frame: %w", f.reason(err, f.lo == f.hi))
		}
	}
}

// Body returns the n bytes that Length announced, valid until the next call.
func (f *FrameReader) Body(n int) ([]byte, error) {
	if f.hi-f.lo < n {
		if err := f.arm(FrameTime(n)); err != nil {
			return nil, err
		}
	}
	for f.hi-f.lo < n {
		if err := f.fill(n - (f.hi - f.lo)); err != nil {
			return nil, fmt.Errorf("read frame of %d bytes: %w", n, f.reason(err, false))
		}
	}
	b := f.buf[f.lo : f.lo+n : f.lo+n]
	f.lo += n
	return b, nil
}

// header parses the length if all of it has arrived; else its width is 0.
func (f *FrameReader) header() (n, width int, err error) {
	digits := protowire.SizeVarint(uint64(f.limit))
	b := f.buf[f.lo:min(f.hi, f.lo+digits)]
	v, width := binary.Uvarint(b)
	switch {
	case width == 0 && len(b) < digits:
		return 0, 0, nil
	case width <= 0:
		return 0, 0, fmt.Errorf("%w: its length has more than %d digits", ErrFrameTooLarge, digits)
	case width != protowire.SizeVarint(v):
		return 0, 0, ErrFrameLength
	case v == 0:
		return 0, 0, ErrFrameEmpty
	case v > uint64(f.limit):
		return 0, 0, fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLarge, v, f.limit)
	}
	return int(v), width, nil
}

// fill reads once, making room for some of the want bytes that are missing.
func (f *FrameReader) fill(want int) error {
	if f.hi == len(f.buf) {
		f.makeRoom(want)
	}
	n, err := f.src.Read(f.buf[f.hi:])
	f.hi += n
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// makeRoom is called with a buffer full to its end. It doubles it when that much
// has arrived, so what is held follows what came, not what was announced.
func (f *FrameReader) makeRoom(want int) {
	held := f.hi - f.lo
	size := len(f.buf)
	switch {
	case size == 0:
		size = smallBuffer
	case size < busyBuffer: // the last read took all it could: the stream is busy
		size *= 2
	case held+want > size && held > size/2:
		size = min(2*size, max(held+want, busyBuffer))
	}
	if size == len(f.buf) && f.lo > 0 {
		copy(f.buf, f.buf[f.lo:f.hi])
	} else {
		next := make([]byte, max(size, held+1))
		copy(next, f.buf[f.lo:f.hi])
		f.buf = next
	}
	f.lo, f.hi = 0, held
}

// recycle gives up a buffer that a rare large frame needed.
func (f *FrameReader) recycle() {
	if f.lo == f.hi {
		f.lo, f.hi = 0, 0
	}
	if len(f.buf) > keptBuffer && f.hi-f.lo < smallBuffer {
		next := make([]byte, smallBuffer)
		f.hi = copy(next, f.buf[f.lo:f.hi])
		f.buf, f.lo = next, 0
	}
}

// arm sets the deadline d from now, unless it stands not much earlier: on a busy
// stream it would be set for every frame, which costs more than reading it.
func (f *FrameReader) arm(d time.Duration) error {
	if f.idle == 0 {
		return nil
	}
	until := time.Now().Add(d)
	if early := until.Sub(f.until); early >= 0 && early < d/8 {
		return nil
	}
	if err := f.src.SetReadDeadline(until); err != nil {
		return fmt.Errorf("set deadline for frame: %w", err)
	}
	f.until = until
	return nil
}

// reason says in our words why reading ended; clean is whether a frame may.
func (f *FrameReader) reason(err error, clean bool) error {
	var timeout net.Error
	switch {
	case errors.Is(err, io.EOF) && clean:
		return io.EOF
	case errors.Is(err, io.EOF):
		return ErrFrameTruncated
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: %w", ErrFrameTimeout, err)
	}
	return err
}

package exchange

import (
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/starling-social/starling/protocol"
)

// A sender hands frames to a stream. Whoever has a frame adds it to the queue and
// goes on; one goroutine, in run, writes what is queued, many frames at once when
// there are many. Bounds on what is queued are kept by those who add.
type sender struct {
	mu     sync.Mutex // protects what follows
	queue  []chunk    // what run has not taken
	queued uint64     // bytes ever queued
	handed uint64     // of these, handed to the stream
	closed bool
	wake   chan struct{} // holds a token when there is something for run to see
}

// A chunk is some whole frames, to be written at once.
type chunk struct {
	buf  []byte
	owed int64 // what their senders said they owe
}

// errSenderClosed is what add says when its frame will not be sent.
var errSenderClosed = errors.New("stream has ended")

// Chunks of this size come from a pool, so that a busy stream makes no garbage and
// an idle one holds nothing. A larger frame has a chunk of its own.
const chunkSize = 64 << 10

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

func newChunk(n int) chunk {
	if n > chunkSize {
		return chunk{buf: make([]byte, 0, n)}
	}
	return chunk{buf: chunks.Get().(*[chunkSize]byte)[:0]}
}

func (c chunk) free() {
	if cap(c.buf) == chunkSize {
		chunks.Put((*[chunkSize]byte)(c.buf[:chunkSize]))
	}
}

func newSender() *sender { return &sender{wake: make(chan struct{}, 1)} }

// add queues a frame and returns where it begins in all that is ever sent. Owed is
// returned to run's caller once it is sent.
func (s *sender) add(f protocol.Frame, owed int64) (at uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errSenderClosed
	}
	n := f.Size()
	if len(s.queue) == 0 || len(s.queue[len(s.queue)-1].buf)+n > chunkSize {
		s.queue = append(s.queue, newChunk(n))
	}
	c := &s.queue[len(s.queue)-1]
	if c.buf, err = f.Append(c.buf); err != nil {
		return 0, err
	}
	c.owed += owed
	at = s.queued
	s.queued += uint64(n)
	s.signal()
	return at, nil
}

// close lets run send what is queued and return; nothing can be added any more.
func (s *sender) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.signal()
}

func (s *sender) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // run has not seen the last one yet
	}
}

// unsent tells whether nothing of the frame at this point reached the stream.
func (s *sender) unsent(at uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return at >= s.handed
}

// run writes to w until the sender is closed and empty, or w fails. It calls ready
// before each write, and for every frame that was ever added done: with the bytes
// and what was owed for them, once they are sent or never will be.
func (s *sender) run(w io.Writer, ready func(n int) error, done func(n int, owed int64)) error {
	defer s.drop(done)
	for range s.wake {
		runtime.Gosched() // whoever is about to add a frame does so first: fewer, larger writes
		for {
			c, ok, last := s.take()
			if !ok {
				if last {
					return nil
				}
				break
			}
			err := s.write(w, c.buf, ready)
			done(len(c.buf), c.owed)
			c.free()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// take removes the first chunk of the queue, if there is one; last is whether no
// other will come.
func (s *sender) take() (c chunk, ok, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return chunk{}, false, s.closed
	}
	c = s.queue[0]
	s.queue[0] = chunk{}
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	s.handed += uint64(len(c.buf))
	return c, true, false
}

// drop closes the sender and throws away what is queued.
func (s *sender) drop(done func(n int, owed int64)) {
	s.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.queue {
		done(len(c.buf), c.owed)
		c.free()
	}
	s.queue = nil
}

func (s *sender) write(w io.Writer, b []byte, ready func(n int) error) error {
	if err := ready(len(b)); err != nil {
		return err
	}
	n, err := w.Write(b)
	if err != nil {
		s.mu.Lock()
		s.handed -= uint64(len(b) - n)
		s.mu.Unlock()
	}
	return err
}

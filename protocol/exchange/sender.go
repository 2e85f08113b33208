package exchange

import (
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/starling-social/starling/protocol"
)

// A sender hands frames to a stream. Whoever has a frame adds it to the queue and
// goes on; a goroutine, there only while something is queued, writes it, many frames
// at once when there are many: most streams are silent most of the time. Bounds on
// what is queued are kept by those who add.
type sender struct {
	writers sync.WaitGroup // the goroutine that writes; started by add and begin

	mu      sync.Mutex // protects what follows
	outlet  *outlet    // nil before begin
	writing bool       // there is a goroutine
	queue   []chunk    // what it has not taken
	queued  uint64     // bytes ever queued
	handed  uint64     // of these, handed to the stream
	closed  bool
}

// An outlet is where a sender writes to, and who is told of it.
type outlet struct {
	io.Writer
	ready  func(n int) error       // before each write of n bytes
	done   func(n int, owed int64) // for every frame that was ever added: its bytes and what was owed for them, once they are sent or never will be
	failed func(err error)         // once, when a write failed and nothing more is sent
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

// begin has what is queued written, and what will be.
func (s *sender) begin(o outlet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outlet = &o
	s.rouse()
}

// add queues a frame and returns where it begins in all that is ever sent. Of owed the
// outlet is told once it is sent.
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
	s.rouse()
	return at, nil
}

// rouse makes sure that what is queued is written. The caller holds the mutex.
func (s *sender) rouse() {
	if s.outlet == nil || s.writing || len(s.queue) == 0 {
		return
	}
	s.writing = true
	s.writers.Go(func() { s.run(s.outlet) })
}

// close lets nothing be added any more; what is queued is still sent.
func (s *sender) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// end closes the sender and waits until what is queued is sent or dropped.
func (s *sender) end() {
	s.close()
	s.writers.Wait()
}

// unsent tells whether nothing of the frame at this point reached the stream.
func (s *sender) unsent(at uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return at >= s.handed
}

// run writes until nothing is queued, or a write fails.
func (s *sender) run(o *outlet) {
	runtime.Gosched() // whoever is about to add a frame does so first: fewer, larger writes
	for c, ok := s.take(); ok; c, ok = s.take() {
		err := s.write(o, c.buf)
		o.done(len(c.buf), c.owed)
		c.free()
		if err != nil {
			s.drop(o)
			o.failed(err)
			return
		}
	}
}

// take removes the first chunk of the queue. Without one the goroutine that asks has to
// end: the next frame starts another.
func (s *sender) take() (c chunk, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.writing = false
		return chunk{}, false
	}
	c = s.queue[0]
	s.queue[0] = chunk{}
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	s.handed += uint64(len(c.buf))
	return c, true
}

// drop closes the sender and throws away what is queued.
func (s *sender) drop(o *outlet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.queue {
		o.done(len(c.buf), c.owed)
		c.free()
	}
	s.queue = nil
}

func (s *sender) write(o *outlet, b []byte) error {
	if err := o.ready(len(b)); err != nil {
		return err
	}
	n, err := o.Write(b)
	if err != nil {
		s.mu.Lock()
		s.handed -= uint64(len(b) - n)
		s.mu.Unlock()
	}
	return err
}

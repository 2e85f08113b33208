package exchange

import (
	"errors"
	"io"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol"
)

// A sender hands frames to a stream. Whoever has a message adds it to the queue
// and goes on; one goroutine, in run, writes all that is queued at once, so that
// under load one write carries many frames. Bounds on what is queued are kept by
// those who add.
type sender struct {
	mu     sync.Mutex // protects what follows
	queue  []byte     // frames that run has not taken
	owed   int64      // what their senders said they owe
	queued uint64     // bytes ever queued
	handed uint64     // of these, handed to the stream
	closed bool
	wake   chan struct{} // holds a token when there is something for run to see
}

// errSenderClosed is what add says when its frame will not be sent.
var errSenderClosed = errors.New("stream has ended")

// keptQueue is how large a buffer is kept for the next frames.
const keptQueue = 256 << 10

func newSender() *sender { return &sender{wake: make(chan struct{}, 1)} }

// add queues m as a frame. It returns where the frame begins in all that is ever
// sent, and the frame's length. Owed is returned to run's caller once it is sent.
func (s *sender) add(m proto.Message, limit int, owed int64) (at uint64, n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, 0, errSenderClosed
	}
	before := len(s.queue)
	if s.queue, err = protocol.AppendFrame(s.queue, m, limit); err != nil {
		return 0, 0, err
	}
	at, n = s.queued, len(s.queue)-before
	s.queued += uint64(n)
	s.owed += owed
	s.signal()
	return at, n, nil
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

// run writes to w until the sender is closed and empty, or w fails. It calls
// ready before each write, and for every frame that was ever added done: with the
// bytes and what was owed for them, once they are sent or never will be.
func (s *sender) run(w io.Writer, ready func(n int) error, done func(n int, owed int64)) error {
	defer func() { done(s.drop()) }()
	var batch []byte
	for {
		<-s.wake
		var owed int64
		var last bool
		if batch, owed, last = s.take(batch); len(batch) > 0 {
			err := s.write(w, batch, ready)
			done(len(batch), owed)
			if err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// drop closes the sender and throws away what is queued.
func (s *sender) drop() (n int, owed int64) {
	s.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	n, owed = len(s.queue), s.owed
	s.queue, s.owed = nil, 0
	return n, owed
}

// take exchanges an empty buffer for what is queued.
func (s *sender) take(empty []byte) (batch []byte, owed int64, last bool) {
	if cap(empty) > keptQueue {
		empty = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, s.queue = s.queue, empty[:0]
	owed, s.owed = s.owed, 0
	s.handed += uint64(len(batch))
	return batch, owed, s.closed
}

func (s *sender) write(w io.Writer, batch []byte, ready func(n int) error) error {
	if err := ready(len(batch)); err != nil {
		return err
	}
	n, err := w.Write(batch)
	if err != nil {
		s.mu.Lock()
		s.handed -= uint64(len(batch) - n)
		s.mu.Unlock()
	}
	return err
}

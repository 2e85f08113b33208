package dht

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/starling-social/starling/protocol"
)

// questionIdle is how long a stream may be quiet, as the library has it.
const questionIdle = time.Minute

// questions are those that come on one stream.
//
// The library's handler reads a stream until it ends, and keeps a stack of 16 KiB for as
// long. A node has such a stream for most of its connections, and nearly always waits for
// the next question. So the handler is given one question at a time, as a stream that
// ends after it, on a goroutine that ends with the answer; who waits is small.
type questions struct {
	stream network.Stream
	in     *protocol.FrameReader
	admit  func(message []byte) error
}

func newQuestions(s network.Stream, admit func([]byte) error) *questions {
	return &questions{stream: s, in: protocol.NewFrameReader(s, protocol.MaxKadRequest, questionIdle), admit: admit}
}

// serve has every question answered, until the peer closes its half of the stream or a
// question is refused or broken.
func (q *questions) serve(handler network.StreamHandler) {
	done := make(chan bool, 1)
	for {
		m, err := q.in.Next()
		if errors.Is(err, io.EOF) {
			_ = q.stream.Close()
			return
		}
		if err != nil {
			_ = q.stream.Reset()
			return
		}
		go func() {
			one := &oneQuestion{Stream: q.stream, message: m, admit: q.admit}
			handler(one)
			done <- one.answered
		}()
		if !<-done {
			return
		}
	}
}

// oneQuestion is a stream of one message, which the library reads as it came if it is
// admitted. One goroutine uses it; Reset alone may come from others.
type oneQuestion struct {
	network.Stream
	admit    func(message []byte) error
	message  []byte // until it is admitted
	rest     []byte // of it, not yet read
	answered bool   // the stream is ready for the next
}

// Read gives what is left of the message, and then the end.
func (q *oneQuestion) Read(b []byte) (int, error) {
	if q.message != nil {
		if err := q.admit(q.message); err != nil {
			return 0, fmt.Errorf("refuse question: %w", err)
		}
		framed := binary.AppendUvarint(make([]byte, 0, len(q.message)+binary.MaxVarintLen16), uint64(len(q.message)))
		q.rest, q.message = append(framed, q.message...), nil
	}
	if len(q.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, q.rest)
	q.rest = q.rest[n:]
	return n, nil
}

// Close is what the library does at the end of a stream whose questions it has answered:
// the next is still to come.
func (q *oneQuestion) Close() error {
	q.answered = true
	return nil
}

package dht

import (
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// Questions reads whole messages that are admitted, as a handler is given them one by one.
func Questions(from io.Reader, admit func([]byte) error) (read []byte, err error) {
	s := &half{Reader: from}
	newQuestions(s, admit).serve(func(one network.Stream) {
		var m []byte
		if m, err = io.ReadAll(one); err != nil {
			_ = one.Reset()
			return
		}
		read = append(read, m...)
		_ = one.Close()
	})
	if s.reset && err == nil {
		err = errors.New("reset")
	}
	return read, err
}

// half is a stream that can be read.
type half struct {
	network.Stream
	io.Reader
	reset bool
}

func (h *half) Read(b []byte) (int, error)      { return h.Reader.Read(b) }
func (h *half) SetReadDeadline(time.Time) error { return nil }
func (h *half) Close() error                    { return nil }
func (h *half) Reset() error                    { h.reset = true; return nil }

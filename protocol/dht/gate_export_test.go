package dht

import (
	"io"
	"time"

	"github.com/starling-social/starling/protocol"
)

// Questions reads whole messages that are admitted.
func Questions(from io.Reader, admit func([]byte) error) io.Reader {
	return &questions{in: protocol.NewFrameReader(untimed{from}, protocol.MaxKadRequest, 0), admit: admit}
}

type untimed struct{ io.Reader }

func (untimed) SetReadDeadline(time.Time) error { return nil }

package archive_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/starling-social/starling/records/archive"
)

// chained is an archive of any frames, with the checks that a writer gives them.
func chained(frames ...[]byte) (b []byte) {
	sum := make([]byte, 32)
	for _, frame := range frames {
		h := blake3.NewDeriveKey("starling 2026-11-21 archive chain")
		_, _ = h.Write(slices.Concat(sum, frame))
		sum = h.Sum(nil)
		size := 8
		if frame[0] == 0 {
			size = len(sum)
		}
		b = slices.Concat(b, frame, sum[:size])
	}
	return b
}

// firstFrame is the head of an archive of a network.
func firstFrame(network string) []byte {
	b := append([]byte("starling archive 1\n"), byte(len(network)))
	return binary.BigEndian.AppendUint64(append(b, network...), uint64(header.Made))
}

// entryFrame is the frame of a record of one byte with some places, as root, level
// and class.
func entryFrame(standings ...byte) []byte {
	b := []byte{1, 0, 1, 'x', 0, byte(len(standings) / 3)}
	return append(b, standings...)
}

// lastFrame is a trailer that counts.
func lastFrame(entries, standings uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte{0}, entries)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, standings), 0)
}

// unreadable are archives whose checks are right and which nobody who keeps the rules
// writes.
func unreadable() map[string][]byte {
	head := firstFrame(header.Network)
	after := func(frames ...[]byte) []byte { return chained(append([][]byte{head}, frames...)...) }
	return map[string][]byte{
		"a network without a name": chained(firstFrame("")),
		"a network of 65 bytes":    chained(firstFrame(string(bytes.Repeat([]byte{'n'}, 65)))),
		"no frame":                 after([]byte{7}),
		"a record of no bytes":     after([]byte{1, 0, 0}),
		"a record of 65535 bytes":  after([]byte{1, 0xff, 0xff}),
		"a record without a place": after([]byte{1, 0, 1, 'x', 0, 0}),
		"a record in 1025 places":  after([]byte{1, 0, 1, 'x', 4, 1}),
		"a ninth root":             after(entryFrame(8, 0, 0)),
		"a fifth class":            after(entryFrame(0, 0, 4)),
		"a place twice":            after(entryFrame(0, 1, 0, 0, 1, 0)),
		"places in another order":  after(entryFrame(1, 0, 0, 0, 1, 0)),
		"a record too many":        after(entryFrame(0, 0, 0), lastFrame(0, 0)),
		"a record too few":         after(entryFrame(0, 0, 0), lastFrame(2, 1)),
		"a place too few":          after(entryFrame(0, 0, 0), lastFrame(1, 2)),
	}
}

// That every check is right does not make an archive one that is read: who wrote it
// may be anybody. The first error is the last.
func TestReader_refuses(t *testing.T) {
	good := chained(firstFrame(header.Network), entryFrame(0, 1, 0, 1, 0, 3), lastFrame(1, 2))
	if got, _, err := read(bytes.NewReader(good)); len(got) != 1 || !errors.Is(err, io.EOF) {
		t.Fatalf("what keeps the rules: %d entries, %v", len(got), err)
	}
	for name, b := range unreadable() {
		_, _, err := read(bytes.NewReader(b))
		var damage *archive.DamageError
		if !errors.As(err, &damage) || errors.Is(err, archive.ErrCut) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r, err := archive.NewReader(bytes.NewReader(b))
		if err != nil {
			continue
		}
		for err == nil {
			_, err = r.Next()
		}
		if _, again := r.Next(); !errors.Is(again, err) {
			t.Errorf("%s: %v, and then %v", name, err, again)
		}
	}
}

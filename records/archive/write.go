package archive

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Writer writes an archive. It is for one goroutine.
type Writer struct {
	to     io.Writer
	chain  *chain
	frame  []byte
	totals Totals
}

// NewWriter writes the head of an archive. Each frame is one write: buffer where
// that is dear.
func NewWriter(to io.Writer, h Header) (*Writer, error) {
	if len(h.Network) < 1 || len(h.Network) > maxNetwork {
		return nil, fmt.Errorf("network id of %d bytes: want 1 to %d", len(h.Network), maxNetwork)
	}
	w := &Writer{to: to, chain: newChain()}
	w.frame = append(w.frame, magic+version...)
	w.frame = append(w.frame, byte(len(h.Network)))
	w.frame = append(w.frame, h.Network...)
	w.frame = binary.BigEndian.AppendUint64(w.frame, uint64(h.Made))
	return w, w.flush(checkSize)
}

// Write adds an entry. It puts its standings in order.
func (w *Writer) Write(e Entry) error {
	slices.SortFunc(e.Standings, Standing.compare)
	if err := e.check(); err != nil {
		return err
	}
	w.frame = append(w.frame[:0], frameEntry)
	w.frame = binary.BigEndian.AppendUint16(w.frame, uint16(len(e.Bytes)))
	w.frame = append(w.frame, e.Bytes...)
	w.frame = binary.BigEndian.AppendUint16(w.frame, uint16(len(e.Standings)))
	for _, s := range e.Standings {
		w.frame = append(w.frame, s.Root, s.Level, byte(s.Class))
	}
	w.totals.Entries++
	w.totals.Standings += uint64(len(e.Standings))
	return w.flush(checkSize)
}

// Close writes the trailer, by which a reader knows that nothing is missing but so
// many records that could not be read. It does not close what it writes to.
func (w *Writer) Close(unreadable uint64) (Totals, error) {
	w.totals.Unreadable = unreadable
	w.frame = append(w.frame[:0], frameTrailer)
	for _, n := range []uint64{w.totals.Entries, w.totals.Standings, w.totals.Unreadable} {
		w.frame = binary.BigEndian.AppendUint64(w.frame, n)
	}
	return w.totals, w.flush(len(w.chain.sum))
}

// flush writes the frame and the first bytes of the chain after it.
func (w *Writer) flush(check int) error {
	w.chain.add(w.frame)
	w.frame = append(w.frame, w.chain.sum[:check]...)
	if _, err := w.to.Write(w.frame); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

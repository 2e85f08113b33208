package archive

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/starling-social/starling/records"
)

// Reader reads an archive, entry by entry. It is for one goroutine.
type Reader struct {
	from   *bufio.Reader
	chain  *chain
	frame  []byte // as far as it was read
	start  int64  // of the frame
	header Header
	totals Totals // so far
	err    error  // that ended the archive
}

// A failure is the error of what an archive is read from: nothing is known of the
// archive.
type failure struct{ error }

// NewReader reads the head of an archive: [ErrNotArchive] or [ErrNewer] if it is none
// that could be read, else errors are those of [Reader.Next].
func NewReader(from io.Reader) (*Reader, error) {
	r := &Reader{from: bufio.NewReaderSize(from, 64<<10), chain: newChain(), frame: make([]byte, 0, maxFrame)}
	if err := r.head(); err != nil {
		return nil, r.damage(err)
	}
	return r, nil
}

// Peek is the head of an archive, and the archive from its beginning.
func Peek(from io.Reader) (Header, io.Reader, error) {
	whole := bufio.NewReader(from)
	head, err := whole.Peek(maxHead)
	if err != nil && !errors.Is(err, io.EOF) {
		return Header{}, nil, fmt.Errorf("read archive: %w", err)
	}
	r, err := NewReader(bytes.NewReader(head))
	if err != nil {
		return Header{}, nil, err
	}
	return r.header, whole, nil
}

// Header is the head of the archive.
func (r *Reader) Header() Header { return r.header }

// Totals are those of what was read so far, and at the end of the whole archive.
func (r *Reader) Totals() Totals { return r.totals }

// Offset is how many bytes of the archive were read and are as they were written.
func (r *Reader) Offset() int64 { return r.start }

// Next is the next entry, valid until the call after it, and [io.EOF] when the
// archive was read to its end and is complete. Any other error is a [*DamageError],
// or wraps that of the reader given, and stays.
func (r *Reader) Next() (Entry, error) {
	if r.err != nil {
		return Entry{}, r.err
	}
	e, err := r.next()
	if err != nil {
		r.err = r.damage(err)
	}
	return e, r.err
}

func (r *Reader) next() (Entry, error) {
	kind, err := r.take(1)
	if err != nil {
		return Entry{}, err
	}
	switch kind[0] {
	case frameEntry:
		return r.entry()
	case frameTrailer:
		return Entry{}, r.trailer()
	default:
		return Entry{}, fmt.Errorf("no frame begins with %#x", kind[0])
	}
}

func (r *Reader) head() error {
	b, err := r.take(len(magic) + len(version))
	switch {
	case err != nil && !errors.Is(err, ErrCut):
		return err
	case err != nil || !bytes.HasPrefix(b, []byte(magic)):
		return ErrNotArchive
	case string(b[len(magic):]) != version:
		return ErrNewer
	}
	n, err := r.take(1)
	if err != nil {
		return err
	}
	if n[0] < 1 || n[0] > maxNetwork {
		return fmt.Errorf("network id of %d bytes: want 1 to %d", n[0], maxNetwork)
	}
	network, err := r.take(int(n[0]))
	if err != nil {
		return err
	}
	r.header.Network = string(network)
	made, err := r.take(8)
	if err != nil {
		return err
	}
	r.header.Made = records.Millis(binary.BigEndian.Uint64(made))
	return r.checked(checkSize)
}

func (r *Reader) entry() (Entry, error) {
	length, err := r.count("record of %d bytes: want 1 to %d", records.MaxRecord)
	if err != nil {
		return Entry{}, err
	}
	envelope, err := r.take(length)
	if err != nil {
		return Entry{}, err
	}
	places, err := r.count("record in %d places: want 1 to %d", maxStandings)
	if err != nil {
		return Entry{}, err
	}
	standings, err := r.take(places * standingSize)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Bytes: envelope, Standings: make([]Standing, 0, places)}
	for s := range slices.Chunk(standings, standingSize) {
		e.Standings = append(e.Standings, Standing{Root: s[0], Level: s[1], Class: Class(s[2])})
	}
	if err := r.checked(checkSize); err != nil {
		return Entry{}, err
	}
	if err := e.check(); err != nil {
		return Entry{}, err
	}
	r.totals.Entries++
	r.totals.Standings += uint64(places)
	return e, nil
}

// count reads a u16 that is at least 1.
func (r *Reader) count(want string, most int) (int, error) {
	b, err := r.take(2)
	if err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < 1 || n > most {
		return 0, fmt.Errorf(want, n, most)
	}
	return n, nil
}

// trailer is io.EOF when the archive is complete.
func (r *Reader) trailer() error {
	b, err := r.take(countsSize)
	if err != nil {
		return err
	}
	said := Totals{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}
	if err := r.checked(len(r.chain.sum)); err != nil {
		return err
	}
	if said.Entries != r.totals.Entries || said.Standings != r.totals.Standings {
		return fmt.Errorf("the trailer counts %d records in %d places, there were %d in %d",
			said.Entries, said.Standings, r.totals.Entries, r.totals.Standings)
	}
	r.totals = said
	switch _, err := r.from.ReadByte(); {
	case err == nil:
		return errors.New("something follows the end")
	case errors.Is(err, io.EOF):
		return io.EOF
	default:
		return failure{err}
	}
}

// take reads n bytes more of the frame. They are part of r.frame, which never grows.
func (r *Reader) take(n int) ([]byte, error) {
	had := len(r.frame)
	r.frame = r.frame[:had+n]
	b := r.frame[had:]
	return b, r.read(b)
}

func (r *Reader) read(b []byte) error {
	switch _, err := io.ReadFull(r.from, b); {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCut
	default:
		return failure{err}
	}
}

// checked ends the frame: what follows is the chain's.
func (r *Reader) checked(size int) error {
	r.chain.add(r.frame)
	length := len(r.frame)
	r.frame = r.frame[:0]
	check := make([]byte, size)
	if err := r.read(check); err != nil {
		return err
	}
	if !bytes.Equal(check, r.chain.sum[:size]) {
		return errors.New("the bytes are not those that were written")
	}
	r.start += int64(length + size)
	return nil
}

// damage says where, unless this is the good end or a failure.
func (r *Reader) damage(err error) error {
	var f failure
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.As(err, &f):
		return fmt.Errorf("read archive: %w", f.error)
	case errors.Is(err, ErrNotArchive), errors.Is(err, ErrNewer):
		return err // nothing was damaged
	default:
		return &DamageError{Offset: r.start, After: int64(r.totals.Entries), Err: err}
	}
}

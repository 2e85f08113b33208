package archive

import (
	"errors"
	"fmt"

	"github.com/zeebo/blake3"

	"github.com/starling-social/starling/records"
)

// magic begins an archive: a line that people can read, which ends in the version.
const (
	magic   = "starling archive "
	version = "1\n"
)

// Limits of what a reader takes in before it allocates.
const (
	maxNetwork   = 64   // bytes of a network's id: 32 of name, a dot, 8 digits, and room
	maxStandings = 1024 // of a record: 8 places at most, on ladders of up to 74 levels
)

// Frames after the head begin with what they are.
const (
	frameTrailer = 0
	frameEntry   = 1
)

// Sizes of parts, in bytes.
const (
	checkSize    = 8  // of the chain after a frame
	standingSize = 3  // root, level, class
	countsSize   = 24 // of the trailer: entries, standings, unreadable
)

// maxHead is a head with everything at its largest.
const maxHead = len(magic+version) + 1 + maxNetwork + 8 + checkSize

// maxFrame is an entry with everything at its largest.
const maxFrame = 1 + 2 + records.MaxRecord + 2 + maxStandings*standingSize

// Header says what an archive is of.
type Header struct {
	Network string         // its id
	Made    records.Millis // when, by the clock of who made it
}

// Class is for whom a record was kept at a place.
type Class uint8

// The classes.
const (
	Cached   Class = iota // for others, for a while
	Followed              // because the owner follows it
	Held                  // because the node was responsible for it
	Own                   // because the owner wrote it
)

// Standing is one place of a record: the place at Level below the record's Root-th
// root, in the order of [records.Record.Roots].
type Standing struct {
	Root, Level uint8
	Class       Class
}

// Entry is one record: its exact bytes, not verified, and its places by root and
// level, each once.
type Entry struct {
	Bytes     []byte
	Standings []Standing
}

// Totals are what a complete archive says of itself.
type Totals struct {
	Entries    uint64
	Standings  uint64 // of all entries
	Unreadable uint64 // records that the store could not read, and which are missing here
}

// Errors of archives, which a [*DamageError] may wrap.
var (
	ErrNotArchive = errors.New("not a Starling archive")
	ErrNewer      = errors.New("archive was written by a newer version")
	ErrCut        = errors.New("archive ends before its end")
)

// DamageError says where an archive is not what it should be. Everything before is
// as it was written.
type DamageError struct {
	Offset int64 // of the frame, in bytes
	After  int64 // entries before it
	Err    error
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("archive is damaged at byte %d, after %d records: %v", e.Offset, e.After, e.Err)
}

func (e *DamageError) Unwrap() error { return e.Err }

// chainContext is the derive-key context of this package; docs/spec.md lists all.
const chainContext = "starling 2026-11-21 archive chain"

// chain hashes each frame together with all before it.
type chain struct {
	hasher *blake3.Hasher
	sum    [32]byte // zero before the head
}

func newChain() *chain { return &chain{hasher: blake3.NewDeriveKey(chainContext)} }

// add goes on with a frame, without its check, which is the beginning of the sum then.
func (c *chain) add(frame []byte) {
	c.hasher.Reset()
	_, _ = c.hasher.Write(c.sum[:]) // a hash never fails to take bytes
	_, _ = c.hasher.Write(frame)
	c.hasher.Sum(c.sum[:0])
}

func (s Standing) compare(o Standing) int {
	if s.Root != o.Root {
		return int(s.Root) - int(o.Root)
	}
	return int(s.Level) - int(o.Level)
}

// check tells why entries such as e are not written.
func (e Entry) check() error {
	switch {
	case len(e.Bytes) < 1 || len(e.Bytes) > records.MaxRecord:
		return fmt.Errorf("record of %d bytes: want 1 to %d", len(e.Bytes), records.MaxRecord)
	case len(e.Standings) < 1 || len(e.Standings) > maxStandings:
		return fmt.Errorf("record in %d places: want 1 to %d", len(e.Standings), maxStandings)
	}
	for i, s := range e.Standings {
		switch {
		case s.Root >= records.MaxPlaces:
			return fmt.Errorf("root %d: want 0 to %d", s.Root, records.MaxPlaces-1)
		case s.Class > Own:
			return fmt.Errorf("class %d: want 0 to %d", s.Class, Own)
		case i > 0 && s.compare(e.Standings[i-1]) <= 0:
			return errors.New("places are not in order, or twice")
		}
	}
	return nil
}

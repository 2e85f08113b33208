package datastore

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/starling-social/starling/records"
)

// What a caller can act on. They arrive wrapped with what was being done, and end
// with what can be done about them.
var (
	ErrClosed   = errors.New("store is closed")
	ErrNotFound = errors.New("not in this store")

	// What the disk says. While it does, what is here can be read, and nothing that
	// was acknowledged is lost; the store looks again with every write, and goes on
	// by itself once all is well.
	ErrFull     = errors.New("no room in the store: free some space on its disk, or raise its quota")
	ErrReadOnly = errors.New("the disk of the store is read-only: mount it for writing, or use another directory")
	ErrDenied   = errors.New("no permission to write to the store: give its directory to the user who runs this, or use another")
	ErrBroken   = errors.New("the disk of the store failed: look at the system's log and at its cables; writes go on when it does")

	// ErrQuota and ErrFloor are an [ErrFull] by what the owner set: how many bytes the
	// store may take, and how many of its disk it leaves free.
	ErrQuota = fmt.Errorf("%w", ErrFull)
	ErrFloor = fmt.Errorf("%w", ErrFull)

	// What stands in the way of opening a directory.
	ErrLocked   = errors.New("store is in use by another process")
	ErrNewer    = errors.New("store was written by a newer version: upgrade, or use another directory")
	ErrForeign  = errors.New("store belongs to another network")
	ErrNotStore = errors.New("directory holds a database of another kind: use another directory")

	// What was damaged on disk. It is put aside and reported ([Store.Harmed]), so
	// that it is fetched again from others.
	ErrCorrupt = errors.New("stored data is damaged")
)

// ForeignError names the network that a store is of. It is an [ErrForeign].
type ForeignError struct {
	Network string // its id
	Wanted  string // that of the one who opened it
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%v: %s, not %s", ErrForeign, e.Network, e.Wanted)
}

func (e *ForeignError) Unwrap() error { return ErrForeign }

// asFault gives what a file system said its place among the errors above.
func asFault(err error) error {
	if isKnown(err) {
		return err
	}
	return fmt.Errorf("%w: %w", causeOf(err), err)
}

// isKnown tells whether an error has its place already.
func isKnown(err error) bool {
	return slices.ContainsFunc([]error{ErrFull, ErrReadOnly, ErrDenied, ErrBroken, ErrCorrupt, ErrNewer}, func(known error) bool { return errors.Is(err, known) })
}

func causeOf(err error) error {
	switch {
	case isFull(err):
		return ErrFull
	case errors.Is(err, syscall.EROFS):
		return ErrReadOnly
	case errors.Is(err, fs.ErrPermission):
		return ErrDenied
	default:
		return ErrBroken
	}
}

// isFull tells whether a disk, or what its owner may use of it, has no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// PutError says why one put of several was refused. Nothing of it was stored.
type PutError struct {
	Index int // in the puts given to Merge
	Place records.Place
	Err   error // records.ErrMisplaced, ErrFull, or why what is here could not be read
}

func (e *PutError) Error() string { return fmt.Sprintf("put %d to %s: %v", e.Index, e.Place, e.Err) }

func (e *PutError) Unwrap() error { return e.Err }

// CorruptError names a record that does not match what was stored. It has been
// put aside, so that it can be merged again when somebody has it; see
// [Store.Damaged]. It is an [ErrCorrupt].
type CorruptError struct {
	Key   records.ItemKey
	Place records.Place // where it was come upon; zero when asked for by its key
	Err   error
}

func (e *CorruptError) Error() string {
	if e.Place == (records.Place{}) {
		return fmt.Sprintf("record %s: %v: %v", e.Key, ErrCorrupt, e.Err)
	}
	return fmt.Sprintf("record %s in %s: %v: %v", e.Key, e.Place, ErrCorrupt, e.Err)
}

func (e *CorruptError) Unwrap() []error { return []error{ErrCorrupt, e.Err} }

package datastore

import (
	"errors"
	"fmt"

	"github.com/starling-social/starling/records"
)

// What a caller can act on. They arrive wrapped with what was being done.
var (
	ErrClosed   = errors.New("store is closed")                            // the node is going down
	ErrLocked   = errors.New("store is in use by another process")         // stop it, or use another directory
	ErrNotFound = errors.New("not in this store")                          // ask somebody else
	ErrCorrupt  = errors.New("stored data is damaged")                     // ask somebody else; see CorruptError
	ErrBroken   = errors.New("store failed and takes no more writes")      // it can be read; open it again once the disk is well
	ErrFull     = errors.New("no room in the store")                       // ask another member, or make room; nothing is broken
	ErrNewer    = errors.New("store was written by a newer version")       // upgrade, or use another directory
	ErrForeign  = errors.New("store belongs to another network")           // use another directory
	ErrNotStore = errors.New("directory holds a database of another kind") // use another directory
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

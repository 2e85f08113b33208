package datastore

import (
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/starling-social/starling/records"
)

// recent are the records that were last read from disk, as [records.Restore] made them
// again: what many read is not looked up, digested and decoded for each of them.
//
// Nothing has to be taken out when a record is replaced, deleted, dropped or put aside.
// Whoever reads a place comes with an entry of it, as it is in his snapshot, and is given
// the version that this entry names by its id, which is a hash of all that was signed.
// A record that is looked for by its key alone is always read from disk.
type recent struct {
	byID *lru.Cache[records.ID, *records.Record] // nil keeps none
}

func newRecent(size int) (recent, error) {
	if size == 0 {
		return recent{}, nil
	}
	byID, err := lru.New[records.ID, *records.Record](size)
	if err != nil {
		return recent{}, fmt.Errorf("keep %d records at hand: %w", size, err)
	}
	return recent{byID}, nil
}

// get is the record of an entry; nil if it has to be read.
func (c recent) get(e entry) *records.Record {
	if c.byID == nil {
		return nil
	}
	r, ok := c.byID.Get(e.id)
	if !ok || r.ItemKey() != e.pos.Key {
		return nil
	}
	return r
}

// add keeps a record that was read.
func (c recent) add(r *records.Record) {
	if c.byID != nil {
		c.byID.Add(r.ID(), r)
	}
}

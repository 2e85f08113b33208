package datastore

import (
	"encoding/binary"
	"fmt"
)

// Stats is what a store holds, exact as of the last write that readers see.
type Stats struct {
	Records   int64 // records, each stored once
	Places    int64 // places with a record in them
	Entries   int64 // records in buckets and as witnesses, over all places
	Displaced int64 // entries kept until they have been carried down
	Damaged   int64 // records put aside
	Bytes     int64 // keys and values of all of these, their indexes, and the node's own state
}

// Stats is what the store holds. It costs nothing.
func (s *Store) Stats() Stats { return *s.stats.Load() }

func (s Stats) value() []byte {
	v := make([]byte, 0, statsSize)
	for _, n := range []int64{s.Records, s.Places, s.Entries, s.Displaced, s.Damaged, s.Bytes} {
		v = binary.BigEndian.AppendUint64(v, uint64(n))
	}
	return v
}

func parseStats(v []byte) (Stats, error) {
	if len(v) != statsSize {
		return Stats{}, fmt.Errorf("%w: statistics of %d bytes", errValue, len(v))
	}
	n := func(i int) int64 { return int64(binary.BigEndian.Uint64(v[8*i:])) }
	return Stats{Records: n(0), Places: n(1), Entries: n(2), Displaced: n(3), Damaged: n(4), Bytes: n(5)}, nil
}

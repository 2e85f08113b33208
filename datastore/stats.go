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

	Class [Classes]Use // of all these, what is kept for whom
}

// Use is what is kept of one class: records, and with them the places of the class
// and the entries there. What no class has, of all bytes, is the store's own upkeep:
// fingerprints, what was put aside, the node's state.
type Use struct {
	Records int64
	Bytes   int64
}

// Stats is what the store holds. It costs nothing.
func (s *Store) Stats() Stats { return *s.stats.Load() }

// add counts bytes of a class, or with a negative number takes them away.
func (s *Stats) add(c Class, bytes int64) {
	s.Bytes += bytes
	s.Class[c].Bytes += bytes
}

func (s *Stats) addRecord(c Class, n int64) {
	s.Records += n
	s.Class[c].Records += n
}

// fields are the numbers in the order in which they stand on disk.
func (s *Stats) fields() []*int64 {
	out := []*int64{&s.Records, &s.Places, &s.Entries, &s.Displaced, &s.Damaged, &s.Bytes}
	for c := range s.Class {
		out = append(out, &s.Class[c].Records, &s.Class[c].Bytes)
	}
	return out
}

func (s Stats) value() []byte {
	v := make([]byte, 0, statsSize)
	for _, n := range s.fields() {
		v = binary.BigEndian.AppendUint64(v, uint64(*n))
	}
	return v
}

func parseStats(v []byte) (Stats, error) {
	if len(v) != statsSize {
		return Stats{}, fmt.Errorf("%w: statistics of %d bytes", errValue, len(v))
	}
	var s Stats
	for i, n := range s.fields() {
		*n = int64(binary.BigEndian.Uint64(v[8*i:]))
	}
	return s, nil
}

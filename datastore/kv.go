package datastore

import (
	"bytes"
	"errors"
	"slices"
)

// A kv is the ordered map of byte strings that the store stands on: Pebble on a
// disk, a B-tree in memory. Both pass one conformance suite.
//
// Only the committer calls apply, one batch after another. Everything else may
// be called from anywhere. Nothing may be called after close, and close only
// when every snapshot has been closed; Store sees to both.
type kv interface {
	// snapshot is the map as the last apply left it.
	snapshot() (snapshot, error)
	// apply makes all of the batch visible to later snapshots at once and
	// returns. The batch is on disk when durable has returned nil, and with it
	// every batch applied before. A batch for which there is an error instead may
	// be there or not once failure says something; else it is not, and the next may
	// be applied. The batch may be reused at once.
	apply(b *batch) (durable func() error, err error)
	volume
}

// A volume is what a map lies on.
type volume interface {
	// space is how much there is of it.
	space() (diskSpace, error)
	// failure is why nothing can be applied to this map any more, though it may to
	// one that is opened anew, or whether that has to be made anew first of what is
	// left; nil while all is well.
	failure() (damaged bool, err error)
	close() error
}

// A snapshot is the map at one moment, for one goroutine and the length of one
// short read.
type snapshot interface {
	// get is the value of a key, the caller's to keep; errNoKey if there is none.
	get(key []byte) ([]byte, error)
	// scan visits the keys of span in order until visit returns false. Key and
	// value are valid only during the visit, which must not use the snapshot.
	scan(s span, visit func(key, value []byte) bool) error
	close()
}

var errNoKey = errors.New("no such key")

// A span is the keys from low, included, to high, excluded, in ascending order
// or, when backward, in descending order.
type span struct {
	low, high []byte
	backward  bool
}

// holds tells whether a key reached in the direction of the scan is still in the span.
func (s span) holds(key []byte) bool {
	if s.backward {
		return bytes.Compare(key, s.low) >= 0
	}
	return bytes.Compare(key, s.high) < 0
}

// under is the span of all keys that begin with prefix, which must hold a byte
// below 0xff.
func under(prefix []byte) span { return span{low: prefix, high: after(prefix)} }

// after is the least key greater than all that begin with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i, b := range slices.Backward(end) {
		if b != 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

// A batch is a list of writes to be applied together, the last write of a key
// winning. It keeps copies of what it is given, in one buffer.
type batch struct {
	buf []byte
	ops []op
}

// An op is one write: buf[key:value] is its key, buf[value:end] its value.
type op struct {
	key, value, end int
	remove          bool
}

func (b *batch) set(key, value []byte) { b.add(key, value, false) }
func (b *batch) remove(key []byte)     { b.add(key, nil, true) }

func (b *batch) add(key, value []byte, remove bool) {
	o := op{key: len(b.buf), remove: remove}
	b.buf = append(b.buf, key...)
	o.value = len(b.buf)
	b.buf = append(b.buf, value...)
	o.end = len(b.buf)
	b.ops = append(b.ops, o)
}

func (b *batch) reset() { b.buf, b.ops = b.buf[:0], b.ops[:0] }

// each visits the writes in the order they were added.
func (b *batch) each(visit func(key, value []byte, remove bool)) {
	for _, o := range b.ops {
		visit(b.buf[o.key:o.value:o.value], b.buf[o.value:o.end:o.end], o.remove)
	}
}

// everything is the span of all keys the store can have: sections are ASCII.
var everything = span{low: []byte{0}, high: []byte{0xff}}

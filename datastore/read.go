package datastore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/starling-social/starling/records"
)

// Record is the version of a thing that is here, wherever it stands.
func (s *Store) Record(key records.ItemKey) (*records.Record, error) {
	var r *records.Record
	err := s.read(func(v snapshot) (err error) {
		r, _, err = s.readRecord(v, key)
		return err
	})
	switch {
	case errors.Is(err, errNoKey):
		return nil, fmt.Errorf("record %s: %w", key, ErrNotFound)
	case errors.Is(err, ErrCorrupt):
		aside := s.do(context.Background(), func(g *group) error { _, err := g.item(key); return err })
		return nil, errors.Join(&CorruptError{Key: key, Err: err}, aside)
	case err != nil:
		return nil, fmt.Errorf("record %s: %w", key, err)
	}
	return r, nil
}

// Fingerprint is that of all entries whose coordinates share the first bits of
// prefix. Up to 16 bits it costs no reading; beyond, it adds up the places under
// the prefix.
func (s *Store) Fingerprint(prefix records.Coordinate, bits int) (records.Fingerprint, error) {
	if bits < 0 || bits > 8*coordinateSize {
		return records.Fingerprint{}, fmt.Errorf("fingerprint of a prefix of %d bits: want 0 to %d", bits, 8*coordinateSize)
	}
	if bits <= sumBits {
		return s.sumUnder(prefix, bits)
	}
	var sum records.Fingerprint
	from, to := prefixRange(prefix, bits)
	for h, err := range s.heads(from, to) {
		if err != nil {
			return records.Fingerprint{}, fmt.Errorf("fingerprint: %w", err)
		}
		sum = sum.Plus(h.sum)
	}
	return sum, nil
}

func (s *Store) sumUnder(prefix records.Coordinate, bits int) (records.Fingerprint, error) {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return records.Fingerprint{}, ErrClosed
	}
	return s.sums.under(sumPrefix(prefix), bits), nil
}

// prefixRange is the first and the last coordinate with the first bits of prefix.
func prefixRange(prefix records.Coordinate, bits int) (from, to records.Coordinate) {
	for i := range prefix {
		mask := byte(0xff)
		switch n := bits - 8*i; {
		case n <= 0:
			mask = 0
		case n < 8:
			mask = 0xff << (8 - n)
		}
		from[i], to[i] = prefix[i]&mask, prefix[i]|^mask
	}
	return from, to
}

// Entry is one record in the state of one place: in its bucket or as a witness.
type Entry struct {
	Coordinate records.Coordinate
	Place      records.Place
	Key        records.ItemKey
	ID         records.ID
}

// Entries lists what is in the state of the places from one coordinate to
// another, both included, by coordinate and then by position. It reads a few
// hundred at a time, as they are by then, and holds nothing in between.
func (s *Store) Entries(from, to records.Coordinate) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var h head
		for p, err := range s.pages(placesBetween(from, to)) {
			var e Entry
			counts := false
			if err == nil && len(p.key) == headKeySize {
				h, err = parseHead(p.value)
			} else if err == nil {
				e, counts, err = entryUnder(h, p)
			}
			if err != nil {
				yield(Entry{}, fmt.Errorf("list entries: %w", err))
				return
			}
			if counts && !yield(e, nil) {
				return
			}
		}
	}
}

// All lists what is in the state of every place, as [Store.Entries] does.
func (s *Store) All() iter.Seq2[Entry, error] {
	return s.Entries(prefixRange(records.Coordinate{}, 0))
}

func entryUnder(h head, p pair) (e Entry, counts bool, err error) {
	at, pos, err := parseEntryKey(p.key)
	if err != nil {
		return Entry{}, false, err
	}
	row, err := parseEntry(pos, p.value)
	return Entry{Coordinate: at, Place: h.place, Key: pos.Key, ID: row.id}, row.counts(), err
}

// heads lists the heads of places from one coordinate to another.
func (s *Store) heads(from, to records.Coordinate) iter.Seq2[head, error] {
	return func(yield func(head, error) bool) {
		for p, err := range s.pages(placesBetween(from, to)) {
			if err == nil && len(p.key) != headKeySize {
				continue
			}
			var h head
			if err == nil {
				h, err = parseHead(p.value)
			}
			if !yield(h, err) || err != nil {
				return
			}
		}
	}
}

// placesBetween is the span of all heads and entries of some coordinates.
func placesBetween(from, to records.Coordinate) span {
	return span{low: headKey(from), high: after(headKey(to))}
}

// Bounds of what pages reads at once.
const (
	pageKeys  = 256
	pageBytes = 1 << 20
)

// pages goes through a span, each stretch of it as it is when it is reached. It
// holds neither a snapshot nor the store while the caller has a pair, so that a
// slow caller keeps nobody waiting and may call the store itself.
func (s *Store) pages(sp span) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		for {
			stretch, err := s.stretch(sp)
			if err != nil {
				yield(pair{}, err)
				return
			}
			for _, p := range stretch {
				if !yield(p, nil) {
					return
				}
			}
			if len(stretch) == 0 {
				return
			}
			last := stretch[len(stretch)-1].key
			if sp.backward {
				sp.high = last
			} else {
				sp.low = append(last[:len(last):len(last)], 0)
			}
		}
	}
}

// stretch reads the beginning of a span.
func (s *Store) stretch(sp span) (pairs []pair, err error) {
	size := 0
	err = s.read(func(v snapshot) error {
		return v.scan(sp, func(key, value []byte) bool {
			pairs = append(pairs, pair{append([]byte{}, key...), append([]byte{}, value...)})
			size += len(key) + len(value)
			return len(pairs) < pageKeys && size < pageBytes
		})
	})
	return pairs, err
}

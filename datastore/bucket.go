package datastore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/starling-social/starling/records"
)

// maxOnTheWay is how many records on their way down a bucket serves beside its
// witnesses: as many as the bucket itself, so that one who displaces many cannot
// make every answer long. The smallest come first; the others follow as those
// are carried down.
const maxOnTheWay = 64

// maxDamage is how much damage one call sees to.
const maxDamage = 1000

// Bucket answers a query about a place; for a place of which nothing is here, an
// empty bucket. Witnesses are newest first, and among them is what is still on
// its way down. When only the fingerprint is asked for, no record is read but
// what is on its way down, which no fingerprint covers.
//
// Beside an error that is an [ErrCorrupt] the bucket is all that is left: what
// could not be read has been put aside, and the next call does not meet it.
func (s *Store) Bucket(q records.Query) (records.Bucket, error) {
	at := q.Place.Coordinate()
	var damage []error
	for {
		b, found, err := s.bucket(q, at)
		if err != nil {
			return b, errors.Join(append(damage, fmt.Errorf("read bucket of %s: %w", q.Place, err))...)
		}
		for _, f := range found {
			damage = append(damage, &CorruptError{Key: f.pos.Key, Place: q.Place, Err: f.err})
		}
		// What is met here is gone when asked again, unless it cannot be put aside.
		if len(found) == 0 || len(damage) > maxDamage {
			return b, errors.Join(damage...)
		}
		if err := s.quarantine(context.Background(), at, found); err != nil {
			return b, errors.Join(append(damage, err)...)
		}
	}
}

// A page is what of a place's entries answers a query.
type page struct {
	head
	query     records.Query
	shown     int     // entries of the bucket that answer the query
	bucket    []entry // of these, those that are to be read; newest first
	witnesses []entry // newest first, with those on their way down
	more      bool
	print     records.Fingerprint
}

// bad is an entry whose record could not be read.
type bad struct {
	entry
	err error
}

func (s *Store) bucket(q records.Query, at records.Coordinate) (b records.Bucket, found []bad, err error) {
	b = records.Bucket{Place: q.Place, Full: s.network.Capacity(q.Place) == 0}
	err = s.read(func(v snapshot) error {
		p, err := readPage(v, q, at)
		if errors.Is(err, errNoKey) {
			return nil
		}
		if err != nil {
			return err
		}
		b.Count, b.More, b.Fingerprint = p.head.bucket, p.more, p.print
		b.Full = b.Count == s.network.Capacity(q.Place)
		byKey, bad, err := s.fetch(v, at, append(slices.Clone(p.bucket), p.witnesses...))
		b.Records, b.Witnesses = pick(p.bucket, byKey), pick(p.witnesses, byKey)
		found = bad
		return err
	})
	return b, found, err
}

// readPage goes through the entries of a place from the newest. What is not in
// the bucket comes before it, and is little.
func readPage(v snapshot, q records.Query, at records.Coordinate) (page, error) {
	value, err := v.get(headKey(at))
	if err != nil {
		return page{}, err
	}
	p := page{query: q}
	if p.head, err = parseHead(value); err != nil {
		return page{}, err
	}
	sp := entriesOf(at)
	sp.backward = true
	var wrong error
	err = v.scan(sp, func(key, value []byte) bool {
		var e entry
		if e, wrong = readEntry(key, value); wrong != nil {
			return false
		}
		return p.take(at, e)
	})
	p.witnesses = fewer(p.witnesses)
	return p, errors.Join(err, wrong)
}

// take takes in the next entry of the place at a coordinate; false ends the scan.
func (p *page) take(at records.Coordinate, e entry) bool {
	whole := p.query.Before == records.Newest && p.query.Limit >= p.head.bucket
	switch {
	case whole && p.query.Print && e.role == 0:
		p.print = p.sum // as the head has it: the rest need not be read
		return false
	case e.role == 0 && e.pos.Compare(p.query.Before) >= 0:
		return true
	case e.role == 0 && p.shown >= p.query.Limit:
		p.more = true
		return false
	}
	if e.role == 0 {
		p.shown++
	}
	if e.counts() {
		p.print = p.print.Plus(records.Element(at, e.pos.Key, e.id))
	}
	switch {
	case p.query.Print && e.counts():
	case e.role == 0:
		p.bucket = append(p.bucket, e)
	default:
		p.witnesses = append(p.witnesses, e)
	}
	return true
}

// fewer leaves out, from the newest, what is more than maxOnTheWay.
func fewer(entries []entry) []entry {
	excess := -maxOnTheWay
	for _, e := range entries {
		if !e.counts() {
			excess++
		}
	}
	return slices.DeleteFunc(entries, func(e entry) bool {
		if e.counts() || excess <= 0 {
			return false
		}
		excess--
		return true
	})
}

// fetch is the records of entries of a place. Those that are not at hand are read, in
// the order in which they lie on disk.
func (s *Store) fetch(v snapshot, at records.Coordinate, entries []entry) (map[records.ItemKey]*records.Record, []bad, error) {
	byKey := make(map[records.ItemKey]*records.Record, len(entries))
	entries = slices.DeleteFunc(entries, func(e entry) bool {
		r := s.recent.get(e)
		if r != nil {
			byKey[e.pos.Key] = r
		}
		return r != nil
	})
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.pos.Key[:], b.pos.Key[:]) })
	var found []bad
	for _, e := range entries {
		r, err := s.recordOf(v, at, e)
		switch {
		case err == nil:
			byKey[e.pos.Key] = r
			s.recent.add(r)
		case errors.Is(err, errNoKey), errors.Is(err, ErrCorrupt):
			found = append(found, bad{e, err})
		default:
			return nil, nil, err
		}
	}
	return byKey, found, nil
}

// recordOf is the stored record of an entry of a place, which it has to name.
func (s *Store) recordOf(v snapshot, at records.Coordinate, e entry) (*records.Record, error) {
	r, places, err := s.readRecord(v, e.pos.Key)
	if err == nil && !slices.Contains(places, at) {
		err = fmt.Errorf("%w: it does not name this place", ErrCorrupt)
	}
	return r, err
}

// readRecord is the stored record of a thing and where it stands; whatever is
// wrong with it is an ErrCorrupt.
func (s *Store) readRecord(v snapshot, key records.ItemKey) (*records.Record, []records.Coordinate, error) {
	value, err := v.get(recordKey(key))
	if err != nil {
		return nil, nil, err
	}
	st, err := parseStored(value)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	r, err := restore(st, key, s.network)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return r, st.at, nil
}

func pick(entries []entry, byKey map[records.ItemKey]*records.Record) []*records.Record {
	var out []*records.Record
	for _, e := range entries {
		if r := byKey[e.pos.Key]; r != nil {
			out = append(out, r)
		}
	}
	return out
}

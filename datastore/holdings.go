package datastore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// Holdings is all that counts in the store's fingerprints, as a set to reconcile:
// a [reconcile.Set] for any number of goroutines. It is the store as it is when it
// is asked. What a fingerprint says of a stretch was so at one moment, when the
// tree of sums or the entries of the stretch were read, which is all that a
// reconciliation needs; it takes no snapshot and keeps nothing.
type Holdings struct{ store *Store }

// Holdings is what the store holds.
func (s *Store) Holdings() Holdings { return Holdings{s} }

// Fingerprint is that of the elements of a range. It reads no more than some
// hundred entries at either end of the range, save the first time that a part of a
// dense stretch is asked for.
func (h Holdings) Fingerprint(from, to reconcile.Bound) (records.Fingerprint, error) {
	sum, gaps, err := h.known(from, to)
	for _, g := range gaps {
		var part records.Fingerprint
		if err == nil {
			part, err = h.readSum(g.from, g.to)
		}
		sum = sum.Plus(part)
	}
	if err != nil {
		return records.Fingerprint{}, fmt.Errorf("fingerprint: %w", err)
	}
	return sum, nil
}

// known is what the tree knows of a range, and the rest, which is little.
func (h Holdings) known(from, to reconcile.Bound) (records.Fingerprint, []gap, error) {
	for {
		sum, gaps, err := h.sumBetween(from, to)
		if err != nil {
			return sum, nil, err
		}
		i := slices.IndexFunc(gaps, h.store.sums.coarse)
		if i < 0 {
			return sum, gaps, nil
		}
		if err := h.store.refine(gaps[i].block, gaps[i].level); err != nil {
			return sum, nil, err
		}
	}
}

func (h Holdings) sumBetween(from, to reconcile.Bound) (records.Fingerprint, []gap, error) {
	if from >= to {
		return records.Fingerprint{}, nil, nil
	}
	h.store.life.RLock()
	defer h.store.life.RUnlock()
	if h.store.closed {
		return records.Fingerprint{}, nil, ErrClosed
	}
	sum, gaps := h.store.sums.between(from, to)
	return sum, gaps, nil
}

// readSum adds up the entries of a range.
func (h Holdings) readSum(from, to reconcile.Bound) (sum records.Fingerprint, err error) {
	err = h.places(from, to, func(p standing) bool {
		low, high := reconcile.Under(p.at, 8*coordinateSize)
		if from <= low && high <= to {
			sum = sum.Plus(p.sum)
			return true
		}
		for _, e := range p.elements {
			if !e.Before(from) && e.Before(to) {
				sum = sum.Plus(e.Fingerprint())
			}
		}
		return true
	})
	return sum, err
}

// List is the first elements of a range, at most limit, in order. It reads whole
// places.
func (h Holdings) List(from, to reconcile.Bound, limit int) (out []reconcile.Element, err error) {
	err = h.places(from, to, func(p standing) bool {
		slices.SortFunc(p.elements, reconcile.Element.Compare)
		for _, e := range p.elements {
			if !e.Before(from) && e.Before(to) {
				out = append(out, e)
			}
		}
		return len(out) < limit
	})
	if err != nil {
		return nil, fmt.Errorf("list elements: %w", err)
	}
	return out[:min(len(out), limit)], nil
}

// A standing is a place and what counts there.
type standing struct {
	at       records.Coordinate
	sum      records.Fingerprint
	elements []reconcile.Element // valid during the visit
}

// places visits the places that a range begins in, goes over or ends in, until
// visit returns false.
func (h Holdings) places(from, to reconcile.Bound, visit func(standing) bool) error {
	if from >= to {
		return nil
	}
	first, _ := from.Coordinate()
	last, whole := to.Coordinate()
	sp := placesBetween(first, last)
	switch {
	case to == reconcile.End:
		sp = span{low: headKey(first), high: after([]byte{sectionPlace})}
	case whole: // nothing of the last place
		sp.high = headKey(last)
	}
	return h.store.read(func(v snapshot) error {
		p, begun, more := standing{}, false, true
		var wrong error
		err := v.scan(sp, func(key, value []byte) bool {
			if len(key) != headKeySize {
				wrong = p.take(key, value)
				return wrong == nil
			}
			if begun {
				more = visit(p)
			}
			begun = true
			p.elements = p.elements[:0]
			p.at = records.Coordinate(key[1:])
			p.sum, wrong = parseFingerprint(value[:min(len(value), fingerprintSize)])
			return more && wrong == nil
		})
		if err = errors.Join(err, wrong); err == nil && begun && more {
			visit(p)
		}
		return err
	})
}

// take adds an entry of the place, if it counts.
func (p *standing) take(key, value []byte) error {
	if !bytes.HasPrefix(key[1:], p.at[:]) {
		return fmt.Errorf("%w: an entry without its place", ErrCorrupt)
	}
	e, err := readEntry(key, value)
	if err == nil && e.counts() {
		p.elements = append(p.elements, reconcile.Element{At: p.at, Key: e.pos.Key, ID: e.id})
	}
	return err
}

// Standing is the record of a thing with the place at each of these coordinates
// where it stands and counts. If it does so at none, that is [ErrNotFound].
func (h Holdings) Standing(key records.ItemKey, at []records.Coordinate) ([]records.Put, error) {
	r, err := h.store.Record(key)
	if err != nil {
		return nil, err
	}
	var puts []records.Put
	err = h.store.read(func(v snapshot) error {
		for _, c := range at {
			p, err := placeOf(v, r, c)
			if errors.Is(err, errNoKey) {
				continue
			}
			if err != nil {
				return err
			}
			puts = append(puts, records.Put{Place: p, Record: r})
		}
		return nil
	})
	if err == nil && len(puts) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("record %s at %d places: %w", key, len(at), err)
	}
	return puts, nil
}

// placeOf is the place at a coordinate, if r counts there.
func placeOf(v snapshot, r *records.Record, at records.Coordinate) (records.Place, error) {
	standing, err := standingAt(v, r, at)
	if err == nil && !standing.Counts {
		err = errNoKey
	}
	return standing.Place, err
}

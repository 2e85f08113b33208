package datastore

import (
	"errors"
	"fmt"
	"iter"

	"github.com/starling-social/starling/records"
)

// Kept is a record and where it stands.
type Kept struct {
	Record *records.Record
	Stands []Standing
}

// Standing is a place of a record.
type Standing struct {
	Place  records.Place
	Class  Class
	Counts bool // in the bucket or as a witness; else it only waits to be carried down
}

// Kept lists every record once, by item key, with all places where it stands then.
// It holds nothing in between. A record that is damaged is an error of its own, a
// [*CorruptError], after which the list goes on.
func (s *Store) Kept() iter.Seq2[Kept, error] {
	return func(yield func(Kept, error) bool) {
		for p, err := range s.pages(under([]byte{sectionRecord})) {
			var k Kept
			if err == nil {
				k, err = s.keptUnder(p)
			}
			damaged := errors.Is(err, ErrCorrupt)
			if err != nil && !damaged {
				err = fmt.Errorf("list records: %w", err)
			}
			if !yield(k, err) || err != nil && !damaged {
				return
			}
		}
	}
}

func (s *Store) keptUnder(p pair) (k Kept, err error) {
	if len(p.key) != recordKeySize {
		return Kept{}, fmt.Errorf("%w: key of a record of %d bytes", errValue, len(p.key))
	}
	key := records.ItemKey(p.key[1:])
	st, err := parseStored(p.value)
	if err == nil {
		k.Record, err = restore(st, key, s.network)
	}
	if err != nil {
		return Kept{}, &CorruptError{Key: key, Err: err}
	}
	err = s.read(func(v snapshot) error {
		for _, at := range st.at {
			standing, err := standingAt(v, k.Record, at)
			switch {
			case errors.Is(err, errNoKey): // dropped meanwhile
			case err != nil:
				return err
			default:
				k.Stands = append(k.Stands, standing)
			}
		}
		return nil
	})
	return k, err
}

func standingAt(v snapshot, r *records.Record, at records.Coordinate) (Standing, error) {
	value, err := v.get(headKey(at))
	if err != nil {
		return Standing{}, err
	}
	h, err := parseHead(value)
	if err != nil {
		return Standing{}, err
	}
	pos := h.place.Position(r)
	if value, err = v.get(entryKey(at, pos)); err != nil {
		return Standing{}, err
	}
	e, err := parseEntry(pos, value)
	return Standing{Place: h.place, Class: h.class, Counts: e.counts()}, err
}

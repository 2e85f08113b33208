package datastore

import (
	"context"
	"errors"
	"fmt"

	"github.com/starling-social/starling/records"
)

// Scrub reads every record of some places from disk, in the order of their coordinates:
// from one on, until it has read n records. It returns where to go on; more is false
// after the last place. What the disk damaged is put aside, as when somebody had asked
// for it, and [Store.Harmed] tells of that.
//
// Comparing does not find damage to what nobody asks for: fingerprints are kept up to
// date and not worked out from records, so replicas would go on agreeing on one that
// none of them can read any more.
func (s *Store) Scrub(ctx context.Context, from records.Coordinate, n int) (next records.Coordinate, more bool, err error) {
	_, last := prefixRange(records.Coordinate{}, 0)
	for h, err := range s.heads(from, last) {
		if err != nil {
			return from, false, fmt.Errorf("scrub: %w", err)
		}
		at := h.place.Coordinate()
		if n <= 0 {
			return at, true, nil
		}
		read, err := s.scrub(ctx, at)
		if err != nil {
			return at, false, fmt.Errorf("scrub %s: %w", h.place, err)
		}
		n -= read
	}
	return records.Coordinate{}, false, nil
}

// scrub reads all of a place at one moment, past what is kept decoded.
func (s *Store) scrub(ctx context.Context, at records.Coordinate) (read int, err error) {
	var found []bad
	err = s.read(func(v snapshot) error {
		entries, err := readEntries(v, entriesOf(at))
		read = len(entries)
		for _, e := range entries {
			switch _, err := s.recordOf(v, at, e); {
			case errors.Is(err, errNoKey), errors.Is(err, ErrCorrupt):
				found = append(found, bad{e, err})
			case err != nil:
				return err
			}
		}
		return err
	})
	if err == nil && len(found) > 0 {
		err = s.quarantine(ctx, at, found)
	}
	if errors.Is(err, errNoKey) {
		err = nil // the place was dropped meanwhile
	}
	return read, err
}

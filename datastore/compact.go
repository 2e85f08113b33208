package datastore

import (
	"context"
	"fmt"
)

// Compact has the database merge its files, so that what was replaced and dropped
// takes no more room on disk. It takes about as long as to copy the store, and needs
// free space for a part of it at a time. Who writes meanwhile is slowed. In memory it
// does nothing.
func (s *Store) Compact(ctx context.Context) error {
	for low := 0; low < 256; low += 1 << (8 - nibble) {
		for _, section := range []byte{sectionRecord, sectionPlace, sectionDisplaced, sectionSum, sectionDamaged, sectionNode, sectionMeta} {
			from, to := []byte{section, byte(low)}, []byte{section, byte(low + 1<<(8-nibble) - 1), 0xff}
			if err := s.compact(ctx, from, to); err != nil {
				return fmt.Errorf("compact store: %w", err)
			}
		}
	}
	return nil
}

// compact merges a part of the files, and keeps Close and whoever opens the database
// again waiting no longer than that.
func (s *Store) compact(ctx context.Context, from, to []byte) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return ErrClosed
	}
	d, ok := s.kv.(*disk)
	if !ok {
		return nil
	}
	if err := d.guard.shut(); err != nil {
		return err
	}
	return d.corrupt(d.db.Compact(ctx, from, to, true))
}

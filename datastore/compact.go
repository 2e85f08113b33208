package datastore

import (
	"context"
	"fmt"
)

// Compact has the database merge its files, so that what was replaced and dropped
// takes no more room on disk. It takes about as long as to copy the store, and needs
// as much free space. Who writes meanwhile is slowed. In memory it does nothing.
func (s *Store) Compact(ctx context.Context) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return ErrClosed
	}
	d, ok := s.kv.(*disk)
	if !ok {
		return nil
	}
	if err := d.db.Compact(ctx, []byte{0}, []byte{0xff}, true); err != nil {
		return fmt.Errorf("compact store: %w", asCorrupt(err))
	}
	return nil
}

package datastore

import (
	"fmt"
	"time"
)

// Condition is how the disk and the database on it fare.
type Condition struct {
	Fault error // why nothing can be written now; nil while everything can. It may be over with the next write

	Free, Size int64 // bytes of the disk; a store in memory has none, Size is 0
	Floor      int64 // of these, left free by what others want stored

	Upkeep Upkeep
}

// Upkeep is what the database does beside reading and writing. The counts begin anew
// when it is opened again. A store in memory has none.
type Upkeep struct {
	Tables      int64         // bytes of its tables
	Log         int64         // bytes of its log
	Waiting     int64         // bytes in memory that are to become tables
	Overlaps    int           // layers of tables that a read may have to look through
	Debt        int64         // bytes that are to be written until tables are in order, estimated
	Compactions int64         // times that tables were put in order
	Compacting  time.Duration // that took
	Failed      int64         // times that could not be done
	Hits        int64         // blocks that were read from memory
	Misses      int64         // and from the disk
}

// Condition looks at the disk and at the database. It does not wait for either.
func (s *Store) Condition() Condition {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return Condition{Fault: ErrClosed}
	}
	var c Condition
	_, c.Fault = s.kv.failure()
	space, err := s.kv.space()
	c.Free, c.Size, c.Floor = space.free, space.total, s.limits.floor(space)
	switch {
	case c.Fault != nil:
	case err != nil:
		c.Fault = err
	case space.free < space.reserve():
		c.Fault = fmt.Errorf("%w: %d bytes of disk are free", ErrFull, space.free)
	}
	if d, ok := s.kv.(*disk); ok {
		c.Upkeep = d.upkeep()
	}
	return c
}

func (d *disk) upkeep() Upkeep {
	m := d.db.Metrics()
	u := Upkeep{
		Tables: int64(m.Table.Local.LiveSize), Log: int64(m.WAL.Size), Waiting: int64(m.MemTable.Size),
		Overlaps: int(m.Levels[0].Sublevels), Debt: int64(m.Compact.EstimatedDebt),
		Compactions: m.Compact.Count, Compacting: m.Compact.Duration, Failed: m.Compact.FailedCount,
		Hits: m.BlockCache.Hits, Misses: m.BlockCache.Misses,
	}
	for _, l := range m.Levels[1:] {
		u.Overlaps += int(l.Sublevels)
	}
	return u
}

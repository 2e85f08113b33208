package nodetest

import (
	"sync/atomic"
	"time"
)

// A Clock is what one node takes for the time: virtual time, set wrong by an offset. A
// node whose clock is stepped sees it jump in durations as well, which is worse than on
// a real machine, where those are measured by a clock that nobody sets.
type Clock struct{ offset atomic.Int64 }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time { return time.Now().Add(c.Offset()) }

// Offset is by how much the clock is ahead of the truth.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }

// Set steps the clock so that it is ahead of the truth by an offset from now on.
func (c *Clock) Set(offset time.Duration) { c.offset.Store(int64(offset)) }

package records

import "time"

// Millis is a time in Unix milliseconds UTC. It fits 48 bits, as in a [Rev]:
// until the year 10889.
type Millis int64

// MaxMillis is the latest time that can be written.
const MaxMillis Millis = 1<<48 - 1

// MillisOf is the millisecond of t, clamped to what can be written.
func MillisOf(t time.Time) Millis { return min(max(Millis(t.UnixMilli()), 0), MaxMillis) }

// Time is m as a time.Time in UTC.
func (m Millis) Time() time.Time { return time.UnixMilli(int64(m)).UTC() }

// Rev orders the versions of one thing by a hybrid logical clock (Kulkarni et
// al., "Logical Physical Clocks", 2014): 48 bits of Unix milliseconds, then a
// 16-bit counter for versions within one.
type Rev uint64

const revCounterBits = 16

// RevAt is the first revision of a millisecond, clamped to what can be written.
func RevAt(m Millis) Rev { return Rev(min(max(m, 0), MaxMillis)) << revCounterBits }

// Millis is the millisecond of the revision.
func (r Rev) Millis() Millis { return Millis(r >> revCounterBits) }

// NextRev is a revision later than prev, and as late as now if it can be. It
// runs ahead of now only while versions are made faster than one a millisecond
// or while prev was made by a clock that runs ahead. Only the last revision of
// all has none after it and is its own.
func NextRev(prev Rev, now Millis) Rev {
	next := prev + 1
	if next == 0 {
		next = prev
	}
	return max(next, RevAt(now))
}

// MaxAhead is how far a revision may lie ahead of a node's clock. Clocks kept by
// NTP differ by far less; two minutes tolerate a badly kept one, and are too
// little to hold the top of a timeline by dating ahead.
const MaxAhead = 2 * time.Minute

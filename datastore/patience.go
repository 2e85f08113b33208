package datastore

import (
	"sync/atomic"
	"time"
)

// What the store does with time, all of it: it waits for a disk, and puts a date into
// the name of what it puts aside. Nothing that is stored depends on it.
const (
	// retryPause slows down Pebble, which without it tries a table that cannot be
	// made again at once, for ever.
	retryPause = 100 * time.Millisecond
	// lookEvery is how often it is looked whether waiting for tables is in vain.
	lookEvery = 100 * time.Millisecond
	// reviveEvery is how often a database that failed may be opened again.
	reviveEvery = time.Second
	// mendEvery is how often one that is damaged may be made anew. A disk that damages
	// faster is for its owner.
	mendEvery = 10 * time.Minute
	// slowWrite is how long a write may take before it is reported.
	slowWrite = 5 * time.Second
)

// pause waits before Pebble is told of a failure that it answers by trying again.
func pause() { <-time.NewTimer(retryPause).C }

// looking ticks until stop is called.
func looking() (tick <-chan time.Time, stop func()) {
	t := time.NewTicker(lookEvery)
	return t.C, t.Stop
}

// asideName names a damaged database by when that was found out; such names sort.
func asideName() string { return damagedPrefix + time.Now().UTC().Format("20060102T150405.000Z") }

// A revival is when a map that failed may be opened again.
type revival struct {
	every      atomic.Int64 // in nanoseconds; tests change it while the committer runs
	last, mend time.Time
}

// due tells whether it is time to try, and if so takes note of it.
func (r *revival) due(damaged bool) bool {
	now := time.Now()
	if now.Sub(r.last) < time.Duration(r.every.Load()) || damaged && now.Before(r.mend) {
		return false
	}
	r.last = now
	return true
}

// mended notes that the database is being made anew.
func (r *revival) mended() { r.mend = time.Now().Add(mendEvery) }

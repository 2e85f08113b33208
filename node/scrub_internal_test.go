package node

import (
	"testing"
	"time"
)

// However much there is, it is read in the time that is set, unless that would keep the
// disk busy; and a store with little in it is not left alone for days.
func TestScrubPace_table(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for _, c := range []struct {
		all     time.Duration
		entries int64
		want    time.Duration
	}{
		{week, 0, scrubRare},
		{week, 168*scrubBatch - 1, time.Hour},
		{week, 2*168*scrubBatch - 1, 30 * time.Minute},
		{week, 1 << 20, week / (1<<20/scrubBatch + 1)},
		{week, 1 << 30, scrubOften},
		{time.Nanosecond, 0, scrubOften},
	} {
		if got := scrubPace(c.all, c.entries); got != c.want {
			t.Errorf("%d entries in %s: a batch every %s, want %s", c.entries, c.all, got, c.want)
		}
	}
}

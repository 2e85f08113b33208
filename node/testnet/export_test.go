package testnet

import (
	"context"
	"time"

	"github.com/starling-social/starling/records"
)

// Planned is a post as the plan would send it.
type Planned struct {
	Record    *records.Record
	Publisher int
	Sources   []string
}

// Plan seals a whole stream, as of now, and tells what is watched where and how
// many pairs watchers should hear.
func Plan(n records.Network, lines []Line, nodes int, now time.Time) (posts []Planned, watched map[string]int, expected int, err error) {
	p := newPlan(n, lines, nodes)
	for _, l := range lines {
		r, at, err := p.seal(context.Background(), l, now)
		if err != nil {
			return nil, nil, 0, err
		}
		posts = append(posts, Planned{r, at.publisher, at.sources})
	}
	return posts, p.watched, p.expected, nil
}

// Quantiles are median and 99th percentile of some durations.
func Quantiles(all ...time.Duration) (p50, p99 float64) {
	var t times
	for _, d := range all {
		t.add(d)
	}
	return t.quantiles()
}

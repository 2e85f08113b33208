package testnet

import (
	"math"
	"slices"
	"sync"
	"time"
)

// times is how long many things took. It is safe for concurrent use.
type times struct {
	mu  sync.Mutex // protects all
	all []time.Duration
}

func (t *times) add(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, d)
}

// quantiles are the median and the 99th percentile in milliseconds.
func (t *times) quantiles() (p50, p99 float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.all)
	return t.quantile(0.50), t.quantile(0.99)
}

// quantile is the smallest time that at least a share q of all do not exceed.
func (t *times) quantile(q float64) float64 {
	if len(t.all) == 0 {
		return 0
	}
	i := max(int(math.Ceil(q*float64(len(t.all))))-1, 0)
	return round(float64(t.all[i].Microseconds()) / 1000)
}

// round keeps three digits behind the point.
func round(f float64) float64 { return math.Round(f*1000) / 1000 }

package dht

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// A bucket is refreshed when nobody looked for anything in it for so long, as in the
	// Kademlia paper (2.3), and at most refreshWidth of them in a round.
	refreshAge   = 20 * time.Minute
	refreshWidth = 2
	// One that is thin for the prefix rule is sooner, but twice as late each time that it
	// is as thin as before: there may be no more nodes.
	refreshThinAge = 2 * time.Minute
)

// visits are when something was last looked for in each bucket of the table, by whomever
// and whatever it was: that asks nodes of the bucket and learns of others. It is safe for
// concurrent use.
type visits struct {
	mu sync.Mutex // protects of
	of [maxPrefix]visit
}

type visit struct {
	at   time.Time
	thin int // how many nodes it had when it was last refreshed for being thin
	vain int // how often in a row it has been since with so many
}

// note notes that something was looked for that shares so many bits with us.
func (v *visits) note(bucket int, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if bucket < len(v.of) {
		v.of[bucket].at = now
	}
}

// noteFrom notes that everybody was asked who shares at least so many bits with us.
func (v *visits) noteFrom(bucket int, now time.Time) {
	for ; bucket < maxPrefix; bucket++ {
		v.note(bucket, now)
	}
}

// due are at most so many buckets to be refreshed, those that have waited longest, in a
// network of some size of which we know some nodes: of the buckets in which k of them may
// be expected.
func (v *visits) due(most int, nodes Census, size float64, k int, now time.Time) (buckets []int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for bucket := range v.of {
		if size/math.Exp2(float64(bucket+1)) < float64(k)/2 {
			break
		}
		if now.Sub(v.of[bucket].at) >= v.of[bucket].age(nodes[bucket], k) {
			buckets = append(buckets, bucket)
		}
	}
	slices.SortStableFunc(buckets, func(a, b int) int { return v.of[a].at.Compare(v.of[b].at) })
	buckets = buckets[:min(most, len(buckets))]
	for _, bucket := range buckets {
		v.of[bucket].refresh(nodes[bucket])
	}
	return buckets
}

// age is how long a bucket of so many nodes may be left alone.
func (v visit) age(nodes, k int) time.Duration {
	switch {
	case nodes >= 2*k:
		return refreshAge
	case nodes != v.thin:
		return refreshThinAge
	default:
		return min(refreshThinAge<<min(v.vain, 8), refreshAge)
	}
}

// refresh notes that a bucket of so many nodes is about to be.
func (v *visit) refresh(nodes int) {
	if v.vain++; nodes != v.thin {
		v.thin, v.vain = nodes, 1
	}
}

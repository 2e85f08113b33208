package dht

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/starling-social/starling/records"
)

const (
	// plantedDepth is how many of the nodes nearest to a place are looked at.
	plantedDepth = 20
	// plantedOdds is how unlikely the crowd of the nearest so many has to be before
	// it looks planted. With plantedDepth of them, one honest place in a thousand does.
	plantedOdds = 2e-4
	// plantedSlack is by how much the size may be underestimated.
	plantedSlack = sizeSlack
	// plantedAge is how long a place that looks planted is not spoken of again, and
	// maxPlanted of how many that is remembered.
	plantedAge = time.Hour
	maxPlanted = 256
)

// A lookout tells when the nodes nearest to a place stand closer together than chance
// would have them, as ids do that were made for that place. It is an alarm and no
// more: nothing that we do depends on it, for whoever knows it can stay below it.
//
// Nodes stand at random, so around a place they are a Poisson process: of size nodes
// a part of the ring of width w holds size*w on average, and the n-th nearest is
// within w with the odds that a Poisson variable of that mean is n or more. The
// least likely of the first plantedDepth is looked at (a scan statistic; Kulldorff
// 1997), which sees five ids as well as fifty, where the divergence of bucket counts
// from their mean (Sridhar et al., NDSS 2024) needs some fifteen.
type lookout struct {
	crowds [plantedDepth + 1]float64 // the mean at which n nodes or more are as unlikely as plantedOdds

	mu    sync.Mutex // protects what follows
	known *simplelru.LRU[records.Coordinate, time.Time]
	count uint64    // places that looked planted
	last  time.Time // when one last did
}

// A crowd is some nodes around a place.
type crowd struct {
	nodes    int
	width    float64 // of the ring that holds them, as a fraction
	expected float64 // how many it should hold
}

func newLookout() *lookout {
	known, err := simplelru.NewLRU[records.Coordinate, time.Time](maxPlanted, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	l := &lookout{known: known}
	for n := 1; n <= plantedDepth; n++ {
		l.crowds[n] = meanFor(n, plantedOdds)
	}
	return l
}

// look finds the most unlikely crowd around a place in a network of that size, given
// the distances of its members, nearest first, as parts of 2^64. It is false when
// none is unlikely enough.
func (l *lookout) look(size float64, distances []uint64) (worst crowd, planted bool) {
	most := 1.0
	for i, d := range distances[:min(len(distances), plantedDepth)] {
		n, width := i+1, float64(d)/math.Exp2(64)
		expected := size * width
		if excess := l.crowds[n] / max(expected*plantedSlack, math.SmallestNonzeroFloat64); excess > most {
			most, worst, planted = excess, crowd{n, width, expected}, true
		}
	}
	return worst, planted
}

// note counts a place that looks planted, and tells whether that is news.
func (l *lookout) note(c records.Coordinate, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.known.Get(c); ok && now.Sub(last) < plantedAge {
		return false
	}
	l.known.Add(c, now)
	l.count++
	l.last = now
	return true
}

func (l *lookout) seen() (count uint64, last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count, l.last
}

// meanFor is the mean at which a Poisson variable is n or more with the given odds.
func meanFor(n int, odds float64) float64 {
	low, high := 0.0, float64(n)
	for range 64 {
		if middle := (low + high) / 2; atLeast(n, middle) < odds {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// atLeast is the probability that a Poisson variable is n or more: the upper tail
// summed as it stands, for one minus the lower one would lose all digits.
func atLeast(n int, mean float64) (sum float64) {
	logFactorial, _ := math.Lgamma(float64(n + 1))
	term := math.Exp(float64(n)*math.Log(mean) - mean - logFactorial)
	for i := n + 1; term > sum*1e-16; i++ {
		sum += term
		term *= mean / float64(i)
	}
	return sum
}

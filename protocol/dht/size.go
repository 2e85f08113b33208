package dht

import (
	"math"
	"slices"
	"time"
)

const (
	// sampleWindow is how many random lookups an estimate is drawn from. One that ends
	// at the 32nd nearest node is off by 18 per cent, the median of 16 by six.
	sampleWindow = 16
	// youngSamples is how many a node that has just begun, or whose network has just
	// outgrown what can be counted, takes before it moves slowly.
	youngSamples = sampleWindow / 2
	// countedSamples is how many lookups an exact count weighs once there are too many to
	// count: the first lookups that end among ids that stand close together, as those
	// made for a place do, would say that the network is many times as large.
	countedSamples = 5
	// sizeHourly bounds by which factor the published size moves within an hour: whoever
	// comes to lie in most lookups still moves it this slowly. It costs a network that
	// grows faster nothing but larger neighbourhoods for a while; that members are gone
	// is noticed by counting them, whatever the size.
	sizeHourly = 2
	// sizeStep is by how much one count may shrink a network that is small enough to
	// be counted.
	sizeStep = 1.25
)

// A sizeEstimate is the estimated number of nodes in the network. Its zero
// value knows nothing.
type sizeEstimate struct {
	samples []float64 // what the latest lookups say each, oldest first
	counted int       // how many of them, the oldest, stand for what was counted before
	size    float64   // what is published
	moved   time.Time // when it was
}

// count takes an exact count: of a lookup that returned fewer nodes than it may, and
// so all there are. That many nodes answered, so growth is believed at once; a lookup
// also returns few when our own links fail or liars keep it among themselves, so
// shrinking is not, and in a network that was too large to be counted it is one
// opinion among others.
func (e *sizeEstimate) count(nodes int, now time.Time) {
	n := float64(nodes)
	switch {
	case n >= e.size:
		e.size = n
	case len(e.samples) > e.counted: // too large to be counted, by the latest lookups
		e.sample(n, 0, now)
		return
	default:
		e.size = max(n, e.size/sizeStep)
	}
	e.moved = now
	e.samples, e.counted = slices.Repeat([]float64{e.size}, countedSamples), countedSamples
}

// sample takes what a lookup of a random key says. known is how many nodes are
// known to be there: no estimate is below what can be counted.
func (e *sizeEstimate) sample(size float64, known int, now time.Time) {
	e.samples = append(e.samples, size)
	if len(e.samples) > sampleWindow {
		e.samples, e.counted = e.samples[1:], max(0, e.counted-1)
	}
	n := e.raw()
	if len(e.samples)-e.counted > youngSamples {
		reach := math.Pow(sizeHourly, now.Sub(e.moved).Hours())
		n = min(max(n, e.size/reach), e.size*reach)
	}
	e.size, e.moved = max(n, float64(known)), now
}

// raw is the median of the samples, where it would be if nothing held it: fewer than
// half of the lookups, however wrong, cannot move it beyond the others.
func (e *sizeEstimate) raw() float64 {
	if len(e.samples) == 0 {
		return e.size
	}
	sorted := slices.Sorted(slices.Values(e.samples))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// sizeOf is how many nodes there are when the last of the rank nearest to a random
// key is at distance, as a fraction of the ring: the unbiased estimate of least
// variance for nodes that stand at random.
func sizeOf(rank int, distance float64) float64 {
	return float64(rank-1) / max(distance, math.SmallestNonzeroFloat32)
}

package dht

import "slices"

const (
	// sampleWindow is how many random lookups an estimate is drawn from. With
	// 20 distances each, 16 lookups have a standard error of 6 per cent.
	sampleWindow = 16
	// sizeStep bounds how far one update moves the published size once half the
	// window is filled, so that nobody can move it quickly by crowding the keys of
	// a few lookups.
	sizeStep = 1.25
)

// A sizeEstimate is the estimated number of nodes in the network. Its zero
// value knows nothing.
type sizeEstimate struct {
	samples [][]float64 // the latest lookups, oldest first
	size    float64     // what is published
}

// count takes an exact count: of a lookup that returned fewer nodes than it
// may, and so all there are. That many nodes answered, so growth is believed
// at once; a lookup also returns few when our own links fail, so shrinking is not.
func (e *sizeEstimate) count(nodes int) {
	e.samples = nil
	n := float64(nodes)
	if n < e.size {
		n = max(n, e.size/sizeStep)
	}
	e.size = n
}

// sample takes the distances of the nodes nearest to a random key, nearest
// first, as fractions of the ring.
func (e *sizeEstimate) sample(distances []float64) {
	if len(distances) == 0 {
		return
	}
	e.samples = append(e.samples, slices.Clone(distances))
	if len(e.samples) > sampleWindow {
		e.samples = e.samples[1:]
	}
	n := fitSize(e.samples)
	if len(e.samples) > sampleWindow/2 { // else we have just begun to estimate, or to grow
		n = min(max(n, e.size/sizeStep), e.size*sizeStep)
	}
	e.size = max(n, float64(len(distances))) // so many answered
}

// fitSize is the number of nodes that explains the samples best. Among n nodes
// the expected distance of the i-th nearest to a random key is i/(n+1): the
// slope of the line through the origin that fits (i, distance) with the least
// squares gives n.
func fitSize(samples [][]float64) float64 {
	var ranks, products float64
	for _, distances := range samples {
		for i, d := range distances {
			rank := float64(i + 1)
			ranks += rank * rank
			products += rank * d
		}
	}
	if products == 0 {
		return 1
	}
	return max(1, ranks/products-1)
}

package dht

import "time"

// MaxPrefix is the longest prefix that a neighbourhood may have, in bits.
const MaxPrefix = maxPrefix

// Census counts nodes by how many bits they share with one of them, itself not: the
// last are those that share [MaxPrefix] or more.
type Census [maxPrefix + 1]int

// A Rule is how a node finds its prefix from what it learns of the network, and all
// that it remembers for that: the whole decision, without any network, so that a
// model of thousands of nodes runs the same. One goroutine uses it.
type Rule struct {
	// K is the least that a neighbourhood has.
	K int
	// Self is 1 for a node that serves and so counts itself, else 0.
	Self int

	size      sizeEstimate
	suggested int // what the rule said last
}

// Count takes the exact number of nodes, where all there are were seen.
func (r *Rule) Count(nodes int, now time.Time) { r.size.count(nodes, now) }

// Sample takes the distances of the nodes nearest to a random key, nearest first, as
// fractions of the ring: [Rule.SampleWidth] of them, or fewer where others crowd, of
// which the last counts. known is how many nodes are known to be there.
func (r *Rule) Sample(distances []float64, known int, now time.Time) {
	if n := len(distances); n > 0 {
		r.size.sample(sizeOf(n, distances[n-1]), max(n, known), now)
	}
}

// SampleWidth is how many nodes nearest to a random key a sample is drawn from.
func (r *Rule) SampleWidth() int { return max(20, 2*r.K) }

// Size is the estimated number of nodes in the network; 0 when nothing is known.
func (r *Rule) Size() float64 { return r.size.size }

// Next is the prefix to take after a look at the network, in bits. Once others may
// rely on us, two looks in a row have to say so: a node that was only slow to answer
// must not make us let go of half our places, nor take on twice as many.
func (r *Rule) Next(current int, nodes Census, relied bool) int {
	before := r.suggested
	r.suggested = nextPrefix(current, r.K, view{size: r.size.size, shared: nodes, self: r.Self})
	switch {
	case !relied:
		return r.suggested
	case r.suggested > current:
		return max(current, min(r.suggested, before))
	default:
		return min(current, max(r.suggested, before))
	}
}

// Unsure tells whether the last look said another prefix than is taken, so that the
// next should come soon.
func (r *Rule) Unsure(current int) bool { return r.suggested != current }

// Believable is what to make of a prefix that others tell, who may all lie: k ids
// made to crowd a place are the nearest to it, and could by a long prefix make
// readers and writers take them alone for its neighbourhood, or by a short one send
// them searching. No prefix is believed that a network of our size would not have.
func Believable(told, k int, size float64) int {
	if size <= 0 {
		return told // we know nothing yet
	}
	least := max(0, sizePrefix(k, size/toldLess)-toldShort)
	return min(max(told, least), sizePrefix(k, size*toldMore))
}

// Agreed is the prefix of a place's neighbourhood, from what the three nodes nearest
// to the place tell of theirs: the median, but never so long that fewer than k are
// left, who are counted by how many bits they share with the place. One bit less than
// least, which is what was searched, means that even all of that are too few.
func Agreed(told [3]int, least, k int, count func(bits int) int) int {
	agreed := median(told[0], told[1], told[2])
	for agreed >= least && agreed > 0 && count(agreed) < k {
		agreed--
	}
	return agreed
}

// Deepened is the prefix of a place's neighbourhood where the agreed one is shorter than
// the network's size asks for, unless there is a reason for that: an honest node keeps a
// short prefix because one of the halves of its region is thin. near and far count those
// known who share more than so many bits with the place, and exactly so many. Without
// this, three ids made for a place send its readers and writers to nodes all over the
// ring, of which few hold it.
func Deepened(agreed, k int, size float64, near, far func(bits int) int) int {
	for most := sizePrefix(k, size/toldLess); agreed < most && near(agreed) >= k && far(agreed) >= k; {
		agreed++
	}
	return agreed
}

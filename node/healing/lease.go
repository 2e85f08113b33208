package healing

import "time"

// Lease is how long a copy would be kept that a region has left behind, were it no bit
// outside: a day, because that is how a network breathes. What those who go at night
// leave thin, those who come in the morning find where they left it.
const Lease = 24 * time.Hour

// LeaseOf is how long a copy is kept that lies so many bits outside of a region, one or
// more: by how many its prefix would have to be shorter to cover it. Half as long with
// every bit, since to need it again a network has to shrink to half each time.
func LeaseOf(away int) time.Duration { return Lease >> away }

// Leases say until when a node keeps what its region has left behind. Copies that share
// equally many bits with the node lie equally far outside, and were left at one moment,
// so there is one lease for each bit of its prefix. The zero Leases are those of the
// whole ring, outside of which there is nothing. They are used by one goroutine at a time.
type Leases struct {
	terms []term // by how many bits are shared
}

// A term is since when copies that share so many bits with us lie outside, and when they
// were last looked through and none was left.
type term struct{ left, swept time.Time }

// Moved notes how many bits the region has now.
func (l *Leases) Moved(bits int, now time.Time) {
	l.terms = l.terms[:min(bits, len(l.terms))]
	for len(l.terms) < bits {
		l.terms = append(l.terms, term{left: now})
	}
}

// Over tells whether the lease of those copies that share so many bits with us is over,
// or would be, had it to be cut short; not of those that were seen to be gone. What
// neighbours with a shorter prefix put to us since is looked for after the longest lease.
func (l *Leases) Over(shared int, now time.Time, short bool) bool {
	if shared >= len(l.terms) {
		return false
	}
	t := l.terms[shared]
	return (short || now.Sub(t.left) >= LeaseOf(len(l.terms)-shared)) && now.Sub(t.swept) >= LeaseOf(1)
}

// Settled tells whether nothing is left of what lies outside of the region.
func (l *Leases) Settled(now time.Time) bool {
	for shared := range l.terms {
		if l.Over(shared, now, true) {
			return false
		}
	}
	return true
}

// Swept notes that of those copies none is left.
func (l *Leases) Swept(shared int, now time.Time) {
	if shared < len(l.terms) {
		l.terms[shared].swept = now
	}
}

// End ends all leases: there may be copies again that were never ours to hold.
func (l *Leases) End() { clear(l.terms) }

// Left is since when what shares so many bits with us lies outside, for each bit of the
// prefix: all that is worth remembering when a node ends.
func (l *Leases) Left() (left []time.Time) {
	for _, t := range l.terms {
		left = append(left, t.left)
	}
	return left
}

// Resume goes on with what an earlier run left, of which nothing can lie ahead of now.
func (l *Leases) Resume(left []time.Time, now time.Time) {
	l.terms = nil
	for _, at := range left[:min(len(left), noRegion-1)] {
		if at.After(now) { // the clock was wrong, or is
			at = now
		}
		l.terms = append(l.terms, term{left: at})
	}
}

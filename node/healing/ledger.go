package healing

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// A Ledger is what a node remembers of comparing: with whom, about what, and for
// which region it answers therefore. At first it answers for nothing. It is used by
// one goroutine at a time.
type Ledger struct {
	compared   map[peer.ID]time.Time
	complete   map[peer.ID]Part // what was compared to the end since the region last grew
	unfinished map[peer.ID]unfinished
	doubted    map[peer.ID]bool
	growths    int // how often the region grew
	bits       int // of the region that we answer for; more than any while for none
}

// An unfinished comparison is gone on with where it ended, as long as it is about
// the same part of the ring.
type unfinished struct {
	what Part
	rest reconcile.Bound
}

// noRegion is more bits than a coordinate has.
const noRegion = 8*len(records.Coordinate{}) + 1

// NewLedger is that of a node which has just started.
func NewLedger() *Ledger {
	return &Ledger{
		compared: map[peer.ID]time.Time{}, complete: map[peer.ID]Part{},
		unfinished: map[peer.ID]unfinished{}, doubted: map[peer.ID]bool{}, bits: noRegion,
	}
}

// View is what is remembered of those who are neighbours now; it forgets the others.
// Where they stand and how to shuffle is left to the caller to say.
func (l *Ledger) View(self records.Coordinate, bits int, neighbours []peer.ID) View {
	left := func(p peer.ID) bool { return !slices.Contains(neighbours, p) }
	maps.DeleteFunc(l.compared, func(p peer.ID, _ time.Time) bool { return left(p) })
	maps.DeleteFunc(l.complete, func(p peer.ID, _ Part) bool { return left(p) })
	maps.DeleteFunc(l.unfinished, func(p peer.ID, _ unfinished) bool { return left(p) })
	maps.DeleteFunc(l.doubted, func(p peer.ID, _ bool) bool { return left(p) })
	urgent := maps.Clone(l.doubted)
	for p := range l.unfinished {
		urgent[p] = true
	}
	return View{
		Self: self, Bits: bits, Neighbours: neighbours,
		Compared: maps.Clone(l.compared), Complete: maps.Clone(l.complete), Urgent: urgent,
	}
}

// AnswerFor notes that what was compared suffices to answer for our region, if it
// does; and that it does not when the region has grown. It tells whether something
// is left to fill.
func (l *Ledger) AnswerFor(v View) (filling bool) {
	if v.Bits < l.bits && v.Filled() {
		l.bits = v.Bits
	}
	l.bits = max(l.bits, min(v.Bits, noRegion))
	return v.Bits < l.bits
}

// Grown notes that our region has this many bits now. When these are fewer than it
// is answered for, the comparisons so far were about less, and it tells so. When they
// are more, what lies outside is others' from now on, and of what is put there in the
// meantime we may hear nothing, should it become ours again.
func (l *Ledger) Grown(bits int) (larger bool) {
	if bits >= l.bits {
		l.bits = bits
		return false
	}
	l.growths++
	clear(l.complete)
	clear(l.compared)
	clear(l.unfinished)
	return true
}

// Answers tells whether a place that shares so many bits with us has been compared
// since it came to be ours to hold.
func (l *Ledger) Answers(shared int) bool { return shared >= l.bits }

// Bits are how many a place must share with us for that: more than a coordinate has
// while we answer for nothing.
func (l *Ledger) Bits() int { return l.bits }

// Compared are those with whom was compared, to the end or in vain, and when last.
func (l *Ledger) Compared() iter.Seq2[peer.ID, time.Time] { return maps.All(l.compared) }

// Complete tells whether we compared with p to the end since our region last grew.
func (l *Ledger) Complete(p peer.ID) bool {
	_, done := l.complete[p]
	return done
}

// Doubt notes that a neighbour was seen to hold something else than others.
func (l *Ledger) Doubt(p peer.ID) { l.doubted[p] = true }

// A Comparison is what came of comparing with one neighbour.
type Comparison struct {
	Peer       peer.ID
	What       Part            // both hold
	Whole      Part            // of which the neighbour says that it has gathered everything
	From, Rest reconcile.Bound // where it began, and has to be gone on with
	growths    int             // of our region, when it began
}

// Begin takes note of the beginning of a comparison.
func (l *Ledger) Begin(p peer.ID) Comparison {
	delete(l.doubted, p)
	return Comparison{Peer: p, growths: l.growths}
}

// Resume is where to begin with a neighbour.
func (l *Ledger) Resume(p peer.ID, what Part) reconcile.Bound {
	if u, ok := l.unfinished[p]; ok && u.what == what {
		return u.rest
	}
	start, _ := reconcile.Under(what.Prefix, what.Bits)
	return start
}

// Note remembers how a comparison ended, and tells whether it was compared to the
// end. One that began before our region grew was about less than that; and where the
// neighbour is still gathering itself, to be equal to it proves nothing.
func (l *Ledger) Note(c Comparison, now time.Time, err error) (complete bool) {
	if c.growths != l.growths {
		return false
	}
	l.compared[c.Peer] = now
	delete(l.unfinished, c.Peer)
	switch {
	case err == nil && c.Rest == reconcile.End:
		if part, some := c.What.Within(c.Whole); some {
			l.complete[c.Peer] = part
		}
		return true
	case c.Rest > c.From: // who does not answer at all waits its turn
		l.unfinished[c.Peer] = unfinished{c.What, c.Rest}
	}
	return false
}

package model

import (
	"math"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/dht"
)

// The times of protocol/dht/keep.go, upkeep.go and node/neighbours.go.
const (
	joinTime     = 1500 * time.Millisecond // until who starts has been met by its neighbours
	noticeTime   = 30 * time.Second        // until a connection without a sign of life is given up
	firstPace    = 500 * time.Millisecond
	slowPace     = 2 * time.Minute
	paceJitter   = 0.2
	settleSoon   = time.Second
	settleMost   = 30 * time.Second
	unsureTime   = 3 * time.Second
	firstSamples = 4
	prefixCalm   = time.Second
)

// routing is what a node knows of the network.
type routing struct {
	rule       dht.Rule
	bits       int       // of its prefix
	neighbours []peer.ID // in the order of the ring
	joined     bool
	pace       time.Duration // between full rounds
	settle     time.Duration // before a small one
	full       time.Duration // when the next full one is due
	next       time.Duration // when the next of any kind is
	alarms     int           // rounds asked for; all but the last are void
	calming    bool          // a change will be acted on soon
}

func (w *World) newRouting() routing {
	return routing{rule: dht.Rule{K: w.Neighbourhood, Self: 1}, pace: firstPace, settle: settleSoon}
}

// room is of how many nodes a bucket of a routing table has room for.
func (w *World) room() int { return max(20, 4*w.Neighbourhood) }

// join is a node's first look at the network, by which the others meet it.
func (w *World) join(n *node) {
	w.round(n, true)
	n.joined = true
	if n.told = n.bits; len(n.leases.Left()) > 0 {
		n.told = min(n.told, len(n.leases.Left()))
	}
	n.region(n.bits, w.date())
	for _, o := range w.ring.region(n.word, n.bits-2) {
		if o != n && shared(o.word, n.word) >= o.bits-1 {
			w.alarm(o, o.settle)
		}
	}
	w.heal(n)
}

// missed has those that had n as their neighbour notice that it is gone.
func (w *World) missed(n *node) {
	for _, o := range w.ring.region(n.word, n.bits-3) {
		if slices.Contains(o.neighbours, n.id) {
			w.later(o, w.jittered(noticeTime, 0.1), func() { w.alarm(o, o.settle) })
		}
	}
}

// alarm has a node look at the network soon, if it would not anyway.
func (w *World) alarm(n *node, soon time.Duration) {
	at := w.now + soon
	if n.next > w.now && n.next <= at {
		return
	}
	n.next = at
	n.alarms++
	this := n.alarms
	w.later(n, soon, func() {
		if n.alarms == this {
			w.round(n, w.now >= n.full)
		}
	})
}

// round is a look at the network: who is there, how large it is, which prefix
// follows.
func (w *World) round(n *node, full bool) {
	if full {
		w.estimate(n)
	}
	bits := n.rule.Next(n.bits, w.ring.census(n, w.room()), n.joined)
	region := w.ring.region(n.word, bits)
	neighbours := make([]peer.ID, 0, len(region))
	for _, o := range region {
		if o != n {
			neighbours = append(neighbours, o.id)
		}
	}
	changed := bits != n.bits || !slices.Equal(neighbours, n.neighbours)
	n.bits, n.neighbours = bits, neighbours
	if changed {
		w.note('n', n.number, bits<<16|len(neighbours))
		w.moved(n)
	}
	w.schedule(n, full, changed)
}

func (w *World) schedule(n *node, full, changed bool) {
	if n.settle = min(2*n.settle, settleMost); changed || full {
		n.settle = settleSoon
	}
	if full {
		if changed {
			n.pace = max(n.pace/2, firstPace)
		} else {
			n.pace = min(2*n.pace, slowPace)
		}
		n.full = w.now + w.jittered(n.pace, paceJitter)
	}
	n.next = 0
	wait := n.full - w.now
	if n.joined && n.rule.Unsure(n.bits) {
		wait = min(wait, unsureTime)
	}
	w.alarm(n, wait)
}

// estimate counts the network where all of it is in sight, and else draws a sample.
func (w *World) estimate(n *node) {
	width := n.rule.SampleWidth()
	if len(w.ring) <= w.room() {
		n.rule.Count(len(w.ring), w.date())
		return
	}
	samples, known := 1, 1
	if !n.joined {
		samples = firstSamples
	}
	for _, others := range w.ring.census(n, w.room()) {
		known += others
	}
	for range samples {
		key := w.rand.Uint64()
		near := w.ring.nearest(key, width)
		distances := make([]float64, len(near))
		for i, o := range near {
			distances[i] = float64(o.word^key) / math.Exp2(64)
		}
		n.rule.Sample(distances, known, w.date())
	}
}

// moved acts on a change of the neighbourhood once it has been calm for a while.
func (w *World) moved(n *node) {
	if n.calming {
		return
	}
	n.calming = true
	w.later(n, prefixCalm, func() {
		n.calming = false
		n.ledger.Grown(n.bits)
		n.region(n.bits, w.date())
		w.wake(n)
	})
}

package model

import (
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	rules "github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/records/reconcile"
)

// The times and bounds of node/heal.go and protocol/limits.go.
const (
	healSoon       = 5 * time.Second
	healRetry      = 30 * time.Second
	healTime       = 10 * time.Minute
	healGive       = 1024 / keyRecords // keys
	requestTimeout = 15 * time.Second
	healJitter     = 0.5
)

// chunkTime is how long a node moves keys before it looks whether the other is there.
const chunkTime = 5 * time.Second

// What comparing costs, from docs/benchmarks.md: bytes where nothing differs, and for
// each element that does, the first few and many.
const (
	agreeBytes = 209
	fewBytes   = 240
	few        = 10
	manyBytes  = 53
)

func talk(differences int) int64 {
	elements := differences * keyRecords
	return agreeBytes + int64(min(elements, few))*fewBytes + int64(max(elements-few, 0))*manyBytes
}

// healing is what a node is at to hold what its neighbours do.
type healing struct {
	ledger *rules.Ledger
	busy   bool // comparing
	token  bool // the neighbourhood has changed since
	timers int  // of the loop; all but the last are void
	leases rules.Leases
	told   int // bits of the region outside of which others were given what is theirs
	filled bool
}

// started is healing after a restart.
func (h healing) started(now time.Time) healing {
	next := healing{ledger: rules.NewLedger()}
	next.leases.Resume(h.leases.Left(), now)
	return next
}

// region notes with how many bits a node begins, or has now.
func (h *healing) region(bits int, now time.Time) {
	h.told = min(h.told, bits)
	h.leases.Moved(bits, now)
}

// wake brings the next comparison forward.
func (w *World) wake(n *node) {
	switch {
	case w.ClockOnly || w.Interval == 0 || !n.joined:
	case n.busy:
		n.token = true
	default:
		w.healIn(n, w.jittered(healSoon, healJitter))
	}
}

// healIn has a node compare when d has passed, and not when it would have else.
func (w *World) healIn(n *node, d time.Duration) {
	n.timers++
	this := n.timers
	w.later(n, d, func() {
		if n.timers == this {
			w.heal(n)
		}
	})
}

// heal compares with some neighbours, one after the other, and has that done again
// later.
func (w *World) heal(n *node) {
	if w.Interval == 0 {
		return
	}
	n.busy = true
	bits := n.bits
	v := w.view(n, bits)
	w.compareAll(n, v.Partners(), 0, func(done int) {
		filling := n.ledger.AnswerFor(w.view(n, bits))
		if !filling && !n.filled {
			w.note('f', n.number, bits)
		}
		n.filled = !filling
		if done > 0 && filling {
			w.heal(n)
			return
		}
		n.busy = false
		next := w.jittered(w.Interval, healJitter)
		if done == 0 && len(n.neighbours) > 0 {
			next = min(next, w.jittered(healRetry, healJitter))
		}
		w.shed(n)
		if n.token {
			n.token = false
			next = min(next, w.jittered(healSoon, healJitter))
		}
		w.healIn(n, next)
	})
}

func (w *World) view(n *node, bits int) rules.View {
	v := n.ledger.View(n.at, bits, n.neighbours)
	v.At, v.Random = standsAt, w.rand.Shuffle
	return v
}

func (w *World) compareAll(n *node, partners []peer.ID, done int, then func(done int)) {
	if len(partners) == 0 {
		then(done)
		return
	}
	w.compare(n, w.by[partners[0]], func(err error) {
		if err == nil {
			done++
		}
		w.compareAll(n, partners[1:], done, then)
	})
}

var errGone = errors.New("no answer")

// A comparison is under way between a node and one of its neighbours.
type comparison struct {
	rules.Comparison
	n, with *node
	began   time.Duration
	end     int   // the first key behind what both hold
	take    []int // keys to come
	give    []int
	then    func(error)
}

// compare makes what a node and a neighbour hold in common the same.
func (w *World) compare(n, with *node, then func(error)) {
	c := &comparison{Comparison: n.ledger.Begin(with.id), n: n, with: with, began: w.now, then: then}
	c.What = rules.Part{Prefix: n.at, Bits: n.bits}
	if with.bits > n.bits {
		c.What = rules.Part{Prefix: with.at, Bits: with.bits}
	}
	c.From = n.ledger.Resume(with.id, c.What)
	c.Rest = c.From
	if !c.heard() {
		w.later(n, requestTimeout, func() { w.conclude(c, errGone) })
		return
	}
	w.later(n, 2*w.Latency, func() { w.differ(c) })
}

// heard tells whether the two can talk.
func (c *comparison) heard() bool { return c.with.up && c.with.joined && !c.with.deaf && !c.n.deaf }

// differ finds out what either side lacks.
func (w *World) differ(c *comparison) {
	if !c.heard() {
		w.later(c.n, requestTimeout, func() { w.conclude(c, errGone) })
		return
	}
	_, high := reconcile.Under(c.What.Prefix, c.What.Bits)
	low := w.keyAt(c.From)
	c.end = w.keyAt(high)
	c.take = c.n.held.lacking(c.with.held, low, c.end)
	c.Whole = rules.Part{Prefix: c.with.at, Bits: c.with.ledger.Bits()}
	c.give = slices.DeleteFunc(c.with.held.lacking(c.n.held, low, c.end), func(key int) bool { return !c.Whole.Holds(w.keys[key]) })
	c.give = c.give[:min(len(c.give), healGive)]
	w.sum.Talked += talk(len(c.take) + len(c.give))
	if len(c.take)+len(c.give) == 0 {
		c.Rest = reconcile.End
		w.conclude(c, nil)
		return
	}
	w.later(c.n, 4*w.Latency, func() { w.move(c) })
}

// keyAt is the first key that is not before a bound.
func (w *World) keyAt(b reconcile.Bound) int {
	low, high := 0, len(w.keys)
	for low < high {
		if mid := (low + high) / 2; reconcile.Bound(w.keys[mid][:]) < b {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// move takes and gives keys, some seconds' worth at a time.
func (w *World) move(c *comparison) {
	each := time.Duration(float64(w.KeyBytes) / float64(w.MendRate) * float64(time.Second))
	n := max(int(chunkTime/max(each, 1)), 1)
	taken := c.take[:min(n, len(c.take))]
	given := c.give[:min(n-len(taken), len(c.give))]
	w.later(c.n, time.Duration(len(taken)+len(given))*each+2*w.Latency, func() {
		if !c.heard() {
			w.conclude(c, errGone)
			return
		}
		for _, key := range taken {
			w.receive(c.n, c.with, key)
			c.Rest = reconcile.Bound(w.keys[key][:])
		}
		for _, key := range given {
			w.receive(c.with, c.n, key)
		}
		c.take, c.give = c.take[len(taken):], c.give[len(given):]
		switch {
		case len(c.take)+len(c.give) == 0:
			c.Rest = reconcile.End
			w.conclude(c, nil)
		case w.now-c.began > healTime:
			w.conclude(c, errGone)
		default:
			w.move(c)
		}
	})
}

// receive has a node hold what another one holds.
func (w *World) receive(n, from *node, key int) {
	if n.held.has(key) || !from.held.has(key) {
		return
	}
	n.held.add(key)
	w.sum.Received++
	w.sum.Moved += int64(w.KeyBytes)
	w.note('k', n.number, key)
}

func (w *World) conclude(c *comparison, err error) {
	c.n.ledger.Note(c.Comparison, w.date(), err)
	if err == nil {
		w.sum.Compared++
	} else {
		w.sum.Failed++
	}
	c.then(err)
}

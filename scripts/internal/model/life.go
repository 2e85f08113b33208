package model

import (
	"math"
	"slices"
	"time"
)

// Churn is how nodes come and go. For each that leaves another comes, so that the
// network stays as large as it is, unless it dwindles.
type Churn struct {
	// HalfLife is how long half of the nodes stay. It is what a node stays from any
	// moment on, however long it has: nobody can be relied on.
	HalfLife time.Duration
	// Returning is how many of those who come were there before and bring their disk;
	// 0: all are new and have nothing. Those stay as the sessions of IPFS nodes do: one
	// in ten for good, half of the rest two hours, four fifths eight.
	Returning float64
	// Dwindling is that nobody comes for those who leave. Who joins takes what he is to
	// hold before he answers, which repairs as much as healing does.
	Dwindling bool
}

// Begin has nodes come and go from now on.
func (w *World) Begin(c Churn) {
	pool := &pool{Churn: c}
	for _, n := range slices.Clone(w.ring) {
		if !n.deaf { // these are there for ever, which is what is hard about them
			w.stay(n, pool)
		}
	}
}

// pool is who is away and may return.
type pool struct {
	Churn
	away []*node
}

// stay has a node leave when its time has come.
func (w *World) stay(n *node, p *pool) {
	if d, leaves := w.session(p.Churn); leaves {
		w.later(n, d, func() { w.leave(n, p) })
	}
}

// Of the sessions of IPFS nodes (RFM2), a lognormal distribution: half of them are
// over after two hours, four fifths after eight.
const (
	alwaysOn    = 0.105
	sessionHalf = 2 * time.Hour
	sessionWide = 1.647 // log(8 h / 2 h) / 0.8416, the 80th percentile of a normal distribution
)

func (w *World) session(c Churn) (d time.Duration, leaves bool) {
	if c.Returning == 0 {
		return time.Duration(w.rand.ExpFloat64() / math.Ln2 * float64(c.HalfLife)), true
	}
	if w.rand.Float64() < alwaysOn {
		return 0, false
	}
	return time.Duration(float64(sessionHalf) * math.Exp(sessionWide*w.rand.NormFloat64())), true
}

func (w *World) leave(n *node, p *pool) {
	w.goDown(n)
	if p.Dwindling {
		w.forget(n)
		return
	}
	next := w.newcomer(n, p)
	w.comeUp(next, func() { w.stay(next, p) })
}

// newcomer is who comes for one that has left.
func (w *World) newcomer(left *node, p *pool) *node {
	var next *node
	if p.Returning > 0 && len(p.away) > 0 && w.rand.Float64() < p.Returning {
		i := w.rand.IntN(len(p.away))
		next = p.away[i]
		p.away[i] = p.away[len(p.away)-1]
		p.away = p.away[:len(p.away)-1]
	} else {
		next = w.newNode()
	}
	if p.Returning > 0 {
		p.away = append(p.away, left)
	} else {
		w.forget(left)
	}
	return next
}

// goDown takes a node away without a goodbye.
func (w *World) goDown(n *node) {
	w.sum.NodeTime += w.now - n.since
	w.sum.Left++
	n.up = false
	n.life++
	w.ring.remove(n)
	w.note('-', n.number, 0)
	w.missed(n)
}

// forget takes a node's disk: it is gone for good.
func (w *World) forget(n *node) {
	w.sum.Died += n.held.count()
	n.gone, n.held, n.routing, n.healing = true, nil, routing{}, healing{}
}

// comeUp starts a node.
func (w *World) comeUp(n *node, then func()) {
	w.switchOn(n)
	w.sum.Came++
	w.later(n, joinTime, func() {
		w.note('+', n.number, n.held.count())
		w.ring.add(n)
		w.join(n)
		then()
	})
}

// Kill takes a share of the nodes away for good, all in one instant. With replace, as
// many new ones come within the quarter of an hour that follows, and come and go like
// the rest from then on.
func (w *World) Kill(share float64, replace *Churn) {
	victims := w.some(share)
	for _, n := range victims {
		w.goDown(n)
		w.forget(n)
		if replace != nil {
			p := &pool{Churn: *replace}
			w.after(time.Duration(w.rand.Int64N(int64(15*time.Minute))), func() {
				next := w.newNode()
				w.comeUp(next, func() { w.stay(next, p) })
			})
		}
	}
}

// KillEvery is Kill again and again, always with others in their place.
func (w *World) KillEvery(d time.Duration, share float64, replace Churn) {
	w.after(d, func() {
		w.Kill(share, &replace)
		w.KillEvery(d, share, replace)
	})
}

// Join starts one node that has nothing, and returns its number.
func (w *World) Join() (number int) {
	n := w.newNode()
	w.comeUp(n, func() {})
	return n.number
}

// Filled tells whether a node answers for all of its region.
func (w *World) Filled(number int) bool {
	n := w.nodes[number]
	return n.joined && n.filled
}

// Deafen makes a share of the nodes hear nothing any more, for as long as they live.
// They are still met: others count them, and turn to them in vain.
func (w *World) Deafen(share float64) {
	for _, n := range w.some(share) {
		n.deaf = true
	}
}

// Flap makes a share of the nodes be up and down in turns, each for so long, with
// their disks.
func (w *World) Flap(share float64, each time.Duration) {
	for _, n := range w.some(share) {
		w.after(time.Duration(w.rand.Int64N(int64(each))), func() { w.flap(n, each) })
	}
}

func (w *World) flap(n *node, each time.Duration) {
	if n.gone {
		return
	}
	if n.up {
		w.goDown(n)
	} else {
		w.comeUp(n, func() {})
	}
	w.after(each, func() { w.flap(n, each) })
}

// some is a share of the nodes that are up.
func (w *World) some(share float64) []*node {
	all := slices.Clone(w.ring)
	w.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:int(share*float64(len(all))+0.5)]
}

package model

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// Config says what a world is like.
type Config struct {
	Seed          uint64
	Nodes         int
	Neighbourhood int           // K
	Keys          int           // full buckets, spread over the ring
	KeyBytes      int           // that each takes; 0 is 64 posts of 700
	Interval      time.Duration // between comparisons; 0: nobody heals
	ClockOnly     bool          // comparisons are not brought forward when the neighbourhood changes
	MendRate      int           // bytes a second that a node moves; 0 is 1 MiB
	Latency       time.Duration // one way; 0 is 25 ms
}

func (c Config) withDefaults() Config {
	if c.KeyBytes == 0 {
		c.KeyBytes = keyRecords * 700
	}
	if c.MendRate == 0 {
		c.MendRate = 1 << 20
	}
	if c.Latency == 0 {
		c.Latency = 25 * time.Millisecond
	}
	return c
}

// keyRecords is how many records a key stands for.
const keyRecords = 64

// A World is a network in virtual time.
type World struct {
	Config
	clock
	rand  *rand.Rand
	ring  ring    // who can be met
	nodes []*node // all there ever were, by number
	by    map[peer.ID]*node
	keys  []records.Coordinate // in order
	words []uint64             // of keys
	sum   Sum
}

// Sum is what happened in a world so far.
type Sum struct {
	NodeTime time.Duration // of all nodes that were up, together
	Compared int           // comparisons to the end
	Failed   int           // comparisons that were cut short
	Talked   int64         // bytes of comparing
	Moved    int64         // bytes of keys moved
	Planted  int           // copies of keys, by origin and end
	Received int
	Dropped  int
	Died     int // with their nodes
	Left     int // nodes that went down
	Came     int // nodes that came up, the first ones not
}

// A node is one of the network. It keeps what it holds while it is down.
type node struct {
	number int
	id     peer.ID
	at     records.Coordinate
	word   uint64
	up     bool
	gone   bool // down for good
	deaf   bool // sends, and hears nothing
	life   int  // how often it came up or went down: what belongs to another life is void
	since  time.Duration
	held   held
	routing
	healing
}

// New makes a world whose nodes have joined, know each other and have nothing.
func New(c Config) *World {
	c = c.withDefaults()
	w := &World{Config: c, rand: rand.New(rand.NewPCG(c.Seed, 0)), by: map[peer.ID]*node{}}
	for range c.Keys {
		w.keys = append(w.keys, w.coordinate())
	}
	slices.SortFunc(w.keys, func(a, b records.Coordinate) int { return slices.Compare(a[:], b[:]) })
	for _, k := range w.keys {
		w.words = append(w.words, word(k))
	}
	for range c.Nodes {
		n := w.newNode()
		w.switchOn(n)
		w.ring.add(n)
	}
	for _, n := range w.ring {
		w.join(n)
	}
	w.run(settleTime)
	return w
}

// settleTime is how long the first nodes are left alone.
const settleTime = 10 * time.Minute

func (w *World) coordinate() (c records.Coordinate) {
	for i := 0; i < len(c); i += 8 {
		binary.BigEndian.PutUint64(c[i:], w.rand.Uint64())
	}
	return c
}

// jittered is as long as d, give or take a share of it.
func (w *World) jittered(d time.Duration, share float64) time.Duration {
	return time.Duration(float64(d) * (1 + share*(2*w.rand.Float64()-1)))
}

func (w *World) newNode() *node {
	n := &node{number: len(w.nodes), at: w.coordinate(), held: newHeld(w.Keys)}
	n.word, n.id = word(n.at), peer.ID(n.at[:])
	w.nodes = append(w.nodes, n)
	w.by[n.id] = n
	return n
}

// standsAt is where a node stands: here ids are coordinates.
func standsAt(p peer.ID) (c records.Coordinate) {
	copy(c[:], p)
	return c
}

// later has something done for a node when d has passed, unless its life has ended.
func (w *World) later(n *node, d time.Duration, do func()) {
	life := n.life
	w.after(d, func() {
		if n.life == life {
			do()
		}
	})
}

func (w *World) switchOn(n *node) {
	n.up, n.since = true, w.now
	n.life++
	n.routing = w.newRouting()
	n.healing = n.started(w.date())
}

// Plant has all members of every key hold it.
func (w *World) Plant() {
	for key, at := range w.words {
		for _, n := range w.ring.members(at, w.Neighbourhood) {
			if shared(n.word, at) >= n.bits && !n.held.has(key) {
				n.held.add(key)
				w.sum.Planted++
			}
		}
	}
}

// Pass lets time pass.
func (w *World) Pass(d time.Duration) { w.run(w.now + d) }

// Now is how long the world has existed.
func (w *World) Now() time.Duration { return w.now }

// Trace is a fingerprint of all that happened, in its order.
func (w *World) Trace() uint64 { return w.trace }

// Sum is what happened so far.
func (w *World) Sum() Sum {
	s := w.sum
	for _, n := range w.nodes {
		if n.up {
			s.NodeTime += w.now - n.since
		}
	}
	return s
}

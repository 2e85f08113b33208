package nodetest

import (
	"sync"
	"sync/atomic"
	"time"
)

// LinksConfig says how nodes are joined. Every field may be left zero.
type LinksConfig struct {
	// Seed of the draws for jitter and loss.
	Seed uint64

	// Link describes one direction between two nodes. It is called for every segment, at any time and
	// from any goroutine: let it be a pure function. Default: 20 ms without jitter, limit or loss.
	Link func(from, to int) Link

	// Grain makes everything arrive at whole multiples of it, no earlier than it would. What arrives in one moment of
	// virtual time is worked on by all processors at once, so a large network with grains of a fifth of its latency is
	// simulated in a fraction of the time. Default: none.
	Grain time.Duration

	// Timeout is how long a connection lives that cannot carry both ways. Default: 30 s, the idle timeout of go-libp2p's QUIC
	// and the keep-alive interval of its yamux.
	Timeout time.Duration

	// DialTimeout is how long a dial waits for an answer. Default: 5 s, that of go-libp2p's TCP.
	DialTimeout time.Duration

	// Window is how many bytes a stream may have sent that its reader has not read. Default: 256 KiB, yamux's first window.
	// A stream carries at most Window per round trip.
	Window int

	// Watch is told of every segment as it is sent; nil for nobody. It is called at any time and from any goroutine,
	// and may not use the Links.
	Watch func(Crossing)

	// Subnet is the /16 network a node is in. Nodes with equal numbers share one. Default: each node has its own.
	Subnet func(node int) int
}

// Crossing is a segment on its way from one node to another.
type Crossing struct {
	Sent, Arrives time.Duration // since the links were made; it arrives no earlier than those sent before it
	From, To      int
	Bytes         int // of stream data
}

func (c LinksConfig) withDefaults() LinksConfig {
	if c.Link == nil {
		c.Link = func(int, int) Link { return Link{Latency: 20 * time.Millisecond} }
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = 5 * time.Second
	}
	if c.Window == 0 {
		c.Window = 256 << 10
	}
	if c.Subnet == nil {
		c.Subnet = func(node int) int { return node }
	}
	return c
}

// grained is the first moment from t on at which something may arrive.
func (c *LinksConfig) grained(t time.Duration) time.Duration {
	if c.Grain <= 0 {
		return t
	}
	if late := t % c.Grain; late != 0 {
		return t + c.Grain - late
	}
	return t
}

// Links joins nodes, which are named by number from 0. All its methods may be called at any time and from any goroutine.
//
// Locks are taken in this order: Links, wire, line; and conn, wire, line. None is held while waiting.
type Links struct {
	cfg   LinksConfig
	epoch time.Time // moments are counted from here
	shape atomic.Pointer[func(from, to int) Link]

	mu    sync.Mutex // protects all below and the unguarded fields of every pair
	nodes map[int]*node
	lines map[direction]*line
	pairs map[*pair]struct{} // connections that are not closed at both ends
	cuts  map[direction]struct{}
	parts map[int]int // a node's part of a partitioned network, from 1; nil when whole
}

// node is what the fabric knows about a node.
type node struct {
	killed, paused bool
	ports          map[uint16]*listener
	nextPort       uint16 // tried first when any port will do
}

// NewLinks returns links without nodes or faults. Inside a synctest bubble it belongs to that bubble.
// Under the race detector it leaves the whole process one processor; see race.go.
func NewLinks(cfg LinksConfig) *Links {
	steady()
	l := &Links{
		cfg:   cfg.withDefaults(),
		epoch: time.Now(),
		nodes: make(map[int]*node),
		lines: make(map[direction]*line),
		pairs: make(map[*pair]struct{}),
		cuts:  make(map[direction]struct{}),
	}
	l.Shape(l.cfg.Link)
	return l
}

// Shape describes the links anew, for everything that is sent from now on. What is under way arrives as it would have.
func (l *Links) Shape(link func(from, to int) Link) { l.shape.Store(&link) }

func (l *Links) describe(d direction) Link { return (*l.shape.Load())(d.from, d.to) }

// rto is how long a sender waits for an acknowledgement before it sends again.
func (l *Links) rto(d direction) time.Duration {
	return l.describe(d).Latency + l.describe(direction{d.to, d.from}).Latency + minRTO
}

// now is the time since the links were made.
func (l *Links) now() time.Duration { return time.Since(l.epoch) }

// Open returns the number of connections that are not yet closed at both ends.
func (l *Links) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pairs)
}

// Stats returns what all nodes sent together.
func (l *Links) Stats() Stats {
	return l.sum(func(direction) bool { return true })
}

// SentBy returns what a node sent.
func (l *Links) SentBy(node int) Stats {
	return l.sum(func(d direction) bool { return d.from == node })
}

// SentTo returns what all nodes sent to a node, whether it arrived or not.
func (l *Links) SentTo(node int) Stats {
	return l.sum(func(d direction) bool { return d.to == node })
}

// Sent returns what one node sent to another.
func (l *Links) Sent(from, to int) Stats { return l.line(direction{from, to}).sent() }

func (l *Links) sum(counts func(direction) bool) (sum Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for d, line := range l.lines {
		if counts(d) {
			sum = sum.Plus(line.sent())
		}
	}
	return sum
}

func (l *Links) line(d direction) *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lineLocked(d)
}

func (l *Links) lineLocked(d direction) *line {
	found, ok := l.lines[d]
	if !ok {
		found = &line{direction: d, links: l}
		l.lines[d] = found
	}
	return found
}

func (l *Links) nodeLocked(number int) *node {
	found, ok := l.nodes[number]
	if !ok {
		found = &node{ports: make(map[uint16]*listener), nextPort: firstFreePort}
		l.nodes[number] = found
	}
	return found
}

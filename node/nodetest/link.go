package nodetest

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Link describes what one node sends to another, in one direction.
type Link struct {
	Latency   time.Duration // one way
	Jitter    time.Duration // each segment takes up to this much longer, evenly spread; order is kept
	Bandwidth int           // bytes per second, shared by all connections of the two nodes; 0 is unlimited
	Loss      float64       // probability that a packet is lost, below 1; use [Links.Cut] for 1
}

// Stats counts what was sent over one or many links, in their direction.
type Stats struct {
	Dials    int64 // attempts to connect
	Conns    int64 // attempts that succeeded
	Streams  int64 // streams opened
	Segments int64 // data and control messages; a retransmission is not counted again
	Bytes    int64 // of stream data, without headers
}

// Plus returns the sum of both.
func (s Stats) Plus(o Stats) Stats {
	return Stats{
		Dials:    s.Dials + o.Dials,
		Conns:    s.Conns + o.Conns,
		Streams:  s.Streams + o.Streams,
		Segments: s.Segments + o.Segments,
		Bytes:    s.Bytes + o.Bytes,
	}
}

const (
	packetSize = 1440                   // bytes of data in one packet of an Ethernet path
	minRTO     = 200 * time.Millisecond // what Linux adds to the round trip before it sends again
	synRTO     = time.Second            // how long Linux waits for the answer to a first packet
	maxRTO     = time.Minute            // bound on the doubling
)

// direction names one direction of a link by its nodes.
type direction struct{ from, to int }

// line is the state of one direction between two nodes.
type line struct {
	direction
	links *Links

	mu    sync.Mutex    // protects all below; nothing is locked while it is held
	rand  *rand.Rand    // nil until the link has jitter or loss
	free  time.Duration // when all that was sent so far has left the sender
	stats Stats
}

// pass draws when a segment of n bytes that is sent now arrives.
func (l *line) pass(now time.Duration, n int) time.Duration {
	arrives := l.links.cfg.grained(l.arrival(now, n))
	if watch := l.links.cfg.Watch; watch != nil {
		watch(Crossing{Sent: now, Arrives: arrives, From: l.from, To: l.to, Bytes: n})
	}
	return arrives
}

func (l *line) arrival(now time.Duration, n int) time.Duration {
	link := l.links.describe(l.direction)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Segments++
	l.stats.Bytes += int64(n)
	if link.Bandwidth > 0 {
		l.free = max(now, l.free) + time.Duration(float64(n)/float64(link.Bandwidth)*float64(time.Second))
		now = l.free
	}
	return now + l.transit(link) + l.resends(link.Loss, n)
}

// probe draws the time that a packet of a handshake takes, and whether it arrives.
func (l *line) probe() (time.Duration, bool) {
	link := l.links.describe(l.direction)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.transit(link), link.Loss <= 0 || l.draw() >= link.Loss
}

func (l *line) transit(link Link) time.Duration {
	if link.Jitter <= 0 {
		return link.Latency
	}
	return link.Latency + time.Duration(l.draw()*float64(link.Jitter))
}

// resends draws how much longer n bytes take because packets were lost: in each round those lost are sent again, and may be lost again.
func (l *line) resends(loss float64, n int) time.Duration {
	if loss <= 0 {
		return 0
	}
	var delay time.Duration
	rto := l.links.rto(l.direction)
	for packets := n/packetSize + 1; ; rto = min(2*rto, maxRTO) {
		packets = l.lose(packets, loss)
		if packets == 0 || delay > l.links.cfg.Timeout {
			return delay
		}
		delay += rto
	}
}

// lose draws how many of the packets are lost.
func (l *line) lose(packets int, loss float64) (lost int) {
	for range packets {
		if l.draw() < loss {
			lost++
		}
	}
	return lost
}

// draw returns a number in [0, 1) from the line's own sequence, so that one link's draws do not depend on the traffic of others.
func (l *line) draw() float64 {
	if l.rand == nil {
		l.rand = rand.New(rand.NewPCG(l.links.cfg.Seed, uint64(l.from)<<32|uint64(l.to)))
	}
	return l.rand.Float64()
}

func (l *line) count(add Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats = l.stats.Plus(add)
}

func (l *line) sent() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

package dht

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// firstPatience is how long a node is waited for before anything was measured, as
	// in RFC 6298 (2.1), and leastPatience how long in any case. It is less than the
	// second of the RFC: to be late costs a node nothing, for its answer is still taken.
	firstPatience = time.Second
	leastPatience = 50 * time.Millisecond
	// dialRounds is how many round trips a question takes that begins with a dial: the
	// connection, the handshake, the choice of a protocol, twice, and the question.
	dialRounds = 6
	// maxTimings bounds the nodes whose round trips are remembered, at about 150 bytes.
	maxTimings = 4096
)

// An rtt is a round trip as measured so far: smoothed, and how far measurements stray
// from that (Jacobson and Karels; RFC 6298, section 2). Its zero value knows nothing.
type rtt struct{ smoothed, strays time.Duration }

// with is r after one more measurement.
func (r rtt) with(took time.Duration) rtt {
	if r.smoothed == 0 {
		return rtt{smoothed: max(took, 1), strays: took / 2}
	}
	return rtt{
		smoothed: max((7*r.smoothed+took)/8, 1),
		strays:   (3*r.strays + (r.smoothed - took).Abs()) / 4,
	}
}

// patience is how long an answer is waited for before the node is taken for late,
// between leastPatience and askTimeout.
func (r rtt) patience() time.Duration {
	if r.smoothed == 0 {
		return firstPatience
	}
	return min(max(r.smoothed+4*r.strays, leastPatience), askTimeout)
}

// timings are the round trips of questions. Only answers are measured, so whoever
// hangs makes nobody more patient.
type timings struct {
	mu   sync.Mutex // protects what follows
	warm rtt        // of all nodes that we were connected to
	cold rtt        // of all others, the dial included
	of   *simplelru.LRU[peer.ID, rtt]
}

func newTimings() *timings {
	of, err := simplelru.NewLRU[peer.ID, rtt](maxTimings, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &timings{of: of}
}

// took notes how long p took to answer: from the beginning when we were connected to
// it, else the dial included.
func (t *timings) took(p peer.ID, connected bool, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !connected {
		t.cold = t.cold.with(d)
		return
	}
	t.warm = t.warm.with(d)
	own, _ := t.of.Get(p)
	t.of.Add(p, own.with(d))
}

// patience is how long to wait for p before it is taken for late: until its answer is
// most unlikely to come yet, or, in haste, two usual round trips longer than it should
// take.
func (t *timings) patience(p peer.ID, connected bool, h haste) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	unlikely := t.rtoLocked(p, connected)
	if expected := t.expectedLocked(p, connected); h != patient && expected > 0 {
		return max(min(expected+2*t.warm.smoothed, unlikely), leastPatience)
	}
	return unlikely
}

// rtoLocked is the retransmission time-out, as TCP calls it.
func (t *timings) rtoLocked(p peer.ID, connected bool) time.Duration {
	if !connected {
		return t.coldLocked().patience()
	}
	if own, ok := t.of.Get(p); ok {
		return own.patience()
	}
	return t.warm.patience()
}

// coldLocked is the time that a question takes which begins with a dial: as measured,
// else as guessed from those that did not.
func (t *timings) coldLocked() rtt {
	if t.cold.smoothed > 0 {
		return t.cold
	}
	return rtt{smoothed: min(dialRounds*t.warm.smoothed, firstPatience), strays: t.warm.strays}
}

// expected is how long p will likely take; 0 when nothing was measured at all.
func (t *timings) expected(p peer.ID, connected bool) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.expectedLocked(p, connected)
}

func (t *timings) expectedLocked(p peer.ID, connected bool) time.Duration {
	own, known := t.of.Peek(p)
	switch {
	case !connected:
		return max(t.coldLocked().smoothed, own.smoothed)
	case known:
		return own.smoothed
	default:
		return t.warm.smoothed
	}
}

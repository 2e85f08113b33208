package exchange

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A backup that is started while the original runs makes two nodes of one identity.
// Neither can dial the other, and others take them for one. But a node draws a number
// when it starts and tells it on every stream, so that whom both ask knows that there are
// two, and tells them.
const (
	// runsApart is how long a newer run must have been there for the older one's request
	// to show that both live: what a process sent before it ended is through by then.
	runsApart = time.Minute
	// twinAge is how long after that both are told.
	twinAge  = 30 * time.Minute
	runsKept = 4096 // peers, about 150 B each

	// A client believes what it was told for twinTold, of so many peers.
	twinTold     = 10 * time.Minute
	twinTellings = 64
)

// runs remembers which runs of each peer asked.
type runs struct {
	mu sync.Mutex // protects what is kept against lost updates
	of *lru.Cache[peer.ID, lineage]
}

func newRuns() *runs {
	of, err := lru.New[peer.ID, lineage](runsKept)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &runs{of: of}
}

// asked notes that a run of p asks and tells whether another lives as well.
func (r *runs) asked(p peer.ID, run uint64, now time.Time) (twin bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, _ := r.of.Get(p)
	after, twin := before.asked(run, now)
	if after != before {
		r.of.Add(p, after)
	}
	return twin
}

// A lineage is the last two runs of a peer.
type lineage struct {
	older, newer uint64
	since        time.Time // when the newer one was first heard
	both         time.Time // when the older one last asked although it should have ended
}

// asked is what becomes of l with a request, and whether there are two.
func (l lineage) asked(run uint64, now time.Time) (_ lineage, twin bool) {
	switch {
	case run == l.newer:
	case run != l.older:
		l.older, l.newer, l.since = l.newer, run, now
	case now.Sub(l.since) >= runsApart:
		l.both = now
	}
	return l, !l.both.IsZero() && now.Sub(l.both) < twinAge
}

// tellings is who told a client that another node has its identity, and when.
type tellings struct {
	of *lru.Cache[peer.ID, time.Time]
}

func newTellings() tellings {
	of, err := lru.New[peer.ID, time.Time](twinTellings)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return tellings{of}
}

func (t tellings) note(p peer.ID, now time.Time) { t.of.Add(p, now) }

// count is how many told lately.
func (t tellings) count(now time.Time) (n int) {
	for _, at := range t.of.Values() {
		if now.Sub(at) < twinTold {
			n++
		}
	}
	return n
}

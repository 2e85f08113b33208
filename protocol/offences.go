package protocol

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"
)

// offendersKept is how many peers are remembered: more than can be connected.
const offendersKept = 4096

// Offences counts, for each peer, the records that it sent and no honest node does; see
// [MaxOffences]. All protocols of a node count in one, so that whoever offends in one is
// let into none. Its methods are safe for concurrent use.
type Offences struct {
	mu    sync.Mutex // protects tallies against lost updates
	peers *lru.Cache[peer.ID, tally]
}

// tally is how often a peer offended since a time.
type tally struct {
	count int
	since time.Time
}

// NewOffences has counted nothing.
func NewOffences() *Offences {
	peers, err := lru.New[peer.ID, tally](offendersKept)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &Offences{peers: peers}
}

// Count counts n more of p's and tells whether they are too many by now.
func (o *Offences) Count(p peer.ID, n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, _ := o.peers.Get(p)
	if time.Since(t.since) > OffenceWindow {
		t = tally{since: time.Now()}
	}
	t.count += n
	o.peers.Add(p, t)
	return t.count > MaxOffences
}

// Many tells whether p's were too many within the window.
func (o *Offences) Many(p peer.ID) bool {
	t, ok := o.peers.Get(p)
	return ok && t.count > MaxOffences && time.Since(t.since) <= OffenceWindow
}

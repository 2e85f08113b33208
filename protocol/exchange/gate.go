package exchange

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/semaphore"

	"github.com/starling-social/starling/protocol"
)

// A gate keeps count of what strangers make the server hold: streams, requests in
// work, replies not yet taken; for each peer and for all. A peer that is at its
// own bound waits for itself alone.
type gate struct {
	requests *semaphore.Weighted // units of all requests in work
	replies  *semaphore.Weighted // bytes of all replies but small ones
	offences *protocol.Offences
	working  atomic.Int64                 // units of requests in work
	turns    *semaphore.Weighted          // reconciliations in work
	accounts *lru.Cache[peer.ID, account] // of peers that reconciled

	mu        sync.Mutex // protects what follows, and accounts against lost updates
	spareFrom time.Time  // from then on the spare rate of reconciliation is free
	peers     map[peer.ID]*visitor
	streams   int
	follows   int
	roots     int
	closed    bool
	open      sync.WaitGroup // streams
}

// A visitor is a peer that has a stream open.
type visitor struct {
	requests *semaphore.Weighted // units of requests in work
	replies  *semaphore.Weighted // bytes of replies not yet taken
	turn     *semaphore.Weighted // a reconciliation in work
	streams  int                 // protected by the gate, as are the next two
	follows  int
	roots    int
}

// accountsKept is how many peers are remembered: more than can be connected.
const accountsKept = 4096

// Why a stream or a follow is not taken.
var (
	errStopped  = errors.New("server has stopped")
	errStreams  = errors.New("too many streams")
	errOffended = errors.New("too many bad records within a minute")
	errFollows  = &Refusal{Busy, "too many followers"}
)

func newGate(offences *protocol.Offences) *gate {
	accounts, err := lru.New[peer.ID, account](accountsKept)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &gate{
		requests: semaphore.NewWeighted(protocol.MaxInFlightServer),
		replies:  semaphore.NewWeighted(protocol.MaxReplyBytesServer),
		offences: offences,
		turns:    semaphore.NewWeighted(protocol.MaxReconcilesServer),
		accounts: accounts,
		peers:    map[peer.ID]*visitor{},
	}
}

// enter lets a stream of p in. Leave must follow unless it fails.
func (g *gate) enter(p peer.ID) (*visitor, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.peers[p]
	switch {
	case g.closed:
		return nil, errStopped
	case g.streams >= protocol.MaxStreamsServer, v != nil && v.streams >= protocol.MaxStreamsPeer:
		return nil, errStreams
	case g.offences.Many(p):
		return nil, errOffended
	case v == nil:
		v = &visitor{
			requests: semaphore.NewWeighted(protocol.MaxInFlightPeer),
			replies:  semaphore.NewWeighted(protocol.MaxReplyBytesPeer),
			turn:     semaphore.NewWeighted(1),
		}
		g.peers[p] = v
	}
	v.streams++
	g.streams++
	g.open.Add(1)
	return v, nil
}

func (g *gate) leave(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.peers[p]
	if v.streams--; v.streams == 0 {
		delete(g.peers, p)
	}
	g.streams--
	g.open.Done()
}

// follow lets one of v's streams follow so many roots. Unfollow must come after.
func (g *gate) follow(v *visitor, roots int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.follows >= protocol.MaxFollowsServer || g.roots+roots > protocol.MaxFollowedRoots ||
		v.follows >= protocol.MaxFollowsPeer || v.roots+roots > protocol.MaxRootsPeer {
		return errFollows
	}
	g.count(v, 1, roots)
	return nil
}

func (g *gate) unfollow(v *visitor, roots int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count(v, -1, -roots)
}

func (g *gate) count(v *visitor, follows, roots int) {
	g.follows, v.follows = g.follows+follows, v.follows+follows
	g.roots, v.roots = g.roots+roots, v.roots+roots
}

// close lets nobody in any more and waits until everybody has left.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.open.Wait()
}

// visits are the streams that are open, and those of them that follow.
func (g *gate) visits() (streams, follows int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.streams, g.follows
}

// load is the share of the room for requests that is taken.
func (g *gate) load() float64 { return float64(g.working.Load()) / protocol.MaxInFlightServer }

// take waits for n of every room, one after the other; all or nothing.
func take(ctx context.Context, n int64, rooms ...*semaphore.Weighted) error {
	for i, r := range rooms {
		if err := r.Acquire(ctx, n); err != nil {
			giveBack(n, rooms[:i]...)
			return context.Cause(ctx)
		}
	}
	return nil
}

func giveBack(n int64, rooms ...*semaphore.Weighted) {
	for _, r := range rooms {
		r.Release(n)
	}
}

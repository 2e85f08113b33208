package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// A holder is the store that others are answered from. It notes what has to follow
// from what is put there: something was displaced, which is carried down in the end,
// or a place was used for the first time, which its parent should know of.
//
// It is safe for concurrent use.
type holder struct {
	ServedStore
	displaced chan struct{} // holds a token when something may have been displaced
	used      chan use      // places used for the first time
	share     func() float64
	now       func() time.Time

	mu    sync.Mutex // protects known
	known *simplelru.LRU[records.Place, struct{}]
}

// A use is a place that is to be offered to its parent at a time.
type use struct {
	place records.Place
	at    time.Time
}

// Bounds of what a holder remembers. A place that is forgotten is offered once more,
// one that does not fit the queue is left to the next sweep.
const (
	knownPlaces = 1 << 15 // 150 bytes each
	usedPlaces  = 1 << 10
)

// newHolder makes the holder in front of a store. Share is the part of the places
// used for the first time that this node, of all their members, is to offer.
func newHolder(s ServedStore, share func() float64, now func() time.Time) *holder {
	known, err := simplelru.NewLRU[records.Place, struct{}](knownPlaces, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	h := &holder{
		ServedStore: s, displaced: make(chan struct{}, 1), used: make(chan use, usedPlaces),
		share: share, now: now, known: known,
	}
	h.displaced <- struct{}{} // from before the node started
	return h
}

// Merge puts into the store and notes what follows.
func (h *holder) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	outcomes, err := h.ServedStore.Merge(ctx, puts)
	if errors.Is(err, datastore.ErrFull) {
		err = fmt.Errorf("%w: %w", exchange.ErrFull, err)
	}
	for i, o := range outcomes {
		if len(o.Displaced) > 0 {
			h.note()
		}
		if (o.Status == records.Stored || o.Status == records.Below) && !puts[i].Place.IsRoot() {
			h.use(puts[i].Place)
		}
	}
	return outcomes, err
}

// note has what is displaced looked at.
func (h *holder) note() {
	select {
	case h.displaced <- struct{}{}:
	default: // it has not been looked at yet
	}
}

// use notes that a place is used.
func (h *holder) use(p records.Place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known.Contains(p) {
		return
	}
	h.known.Add(p, struct{}{})
	if rand.Float64() >= h.share() {
		return
	}
	select {
	case h.used <- use{p, h.now().Add(jitter(offerAfter))}:
	default:
	}
}

package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// A holder is the store that others are answered from. It notes what has to follow
// from what is put there: something was displaced, which is carried down in the end,
// or a place has a smallest record that it had not, which its parent should know of.
//
// It is safe for concurrent use.
type holder struct {
	ServedStore
	displaced chan struct{} // holds a token when something may have been displaced
	used      chan *use     // places that are to be offered
	offers    func(records.Place) bool
	now       func() time.Time
	log       *slog.Logger

	mu    sync.Mutex // protects known and what is in it
	known *simplelru.LRU[records.Place, *smallest]
}

// A use is a place that is to be offered to its parent at a time.
type use struct {
	place records.Place
	at    time.Time
}

// smallest is what is known of the smallest record put to a place.
type smallest struct {
	records.Position

	waiting bool // to be offered
}

// Bounds of what a holder remembers. A place that is forgotten is offered once more,
// one that does not fit the queue is left to the next sweep.
const (
	knownPlaces = 1 << 15 // 220 bytes each
	usedPlaces  = 1 << 10 // a pointer each until they are there
)

// newHolder makes the holder in front of a store. Offers tells which places this
// node, of all their members, is to offer.
func newHolder(s ServedStore, offers func(records.Place) bool, now func() time.Time, log *slog.Logger) *holder {
	known, err := simplelru.NewLRU[records.Place, *smallest](knownPlaces, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	h := &holder{
		ServedStore: s, displaced: make(chan struct{}, 1), used: make(chan *use, usedPlaces),
		offers: offers, now: now, known: known, log: log,
	}
	h.displaced <- struct{}{} // from before the node started
	return h
}

// Merge puts into the store and notes what follows.
func (h *holder) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	outcomes, err := h.ServedStore.Merge(ctx, puts)
	if errors.Is(err, datastore.ErrFull) {
		h.log.Warn("records of others are refused: there is no room for them", "setting", settingBehind(err), "err", err)
		err = fmt.Errorf("%w: %w", exchange.ErrFull, err)
	}
	for i, o := range outcomes {
		if len(o.Displaced) > 0 {
			h.note()
		}
		if (o.Status == records.Stored || o.Status == records.Below) && !puts[i].Place.IsRoot() {
			h.use(puts[i].Place, puts[i].Place.Position(puts[i].Record))
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

// use notes that a record was put to a place. One that is smaller than all before is
// what the parent should bear witness of.
func (h *holder) use(p records.Place, at records.Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, known := h.known.Get(p)
	if known && s.Compare(at) <= 0 {
		return
	}
	if !known {
		s = &smallest{}
		h.known.Add(p, s)
	}
	s.Position = at
	if s.waiting || !h.offers(p) {
		return
	}
	select {
	case h.used <- &use{p, h.now().Add(jitter(offerAfter))}:
		s.waiting = true
	default:
	}
}

// offering notes that a place is being offered: what comes now comes too late for that.
func (h *holder) offering(p records.Place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s, known := h.known.Get(p); known {
		s.waiting = false
	}
}

package gossip

import (
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// maxSenders bounds whom we remember to have sent a record first in some variant.
const maxSenders = 8

// sight is what the seen-set has to say about a record on a shard.
type sight uint8

const (
	fresh   sight = iota // never seen there
	again                // seen, perhaps in other bytes
	variant              // seen in other bytes, and from the same peer
)

// claim is a record on a shard. The id does not cover the signature, so an author who signs the same thing a thousand
// times, for the price of one proof of work, makes a thousand messages and one claim.
type claim struct {
	shard byte
	id    records.ID
}

// seen remembers the records of the last minutes. Only what was verified is entered, or forged copies could keep out
// the true one.
type seen struct {
	mu     sync.Mutex // protects all below
	claims map[claim]*sighting
	order  []*sighting // oldest first
	limit  int
}

type sighting struct {
	claim   claim
	at      time.Time
	senders []peer.ID // each was the first to send some variant
}

func newSeen(limit int) *seen {
	return &seen{claims: make(map[claim]*sighting), limit: limit}
}

// enter takes a verified record that from was the first to send in these bytes.
func (s *seen) enter(c claim, from peer.ID, now time.Time) sight {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	known, ok := s.claims[c]
	switch {
	case !ok:
		known = &sighting{claim: c, at: now, senders: []peer.ID{from}}
		s.claims[c] = known
		s.order = append(s.order, known)
		return fresh
	case slices.Contains(known.senders, from):
		return variant
	case len(known.senders) < maxSenders:
		known.senders = append(known.senders, from)
	}
	return again
}

// forget undoes enter, for a record that could not be sent after all.
func (s *seen) forget(c claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.claims, c)
}

// expire drops what is old, and the oldest while there are too many.
func (s *seen) expire(now time.Time) {
	due := 0
	for due < len(s.order) && (now.Sub(s.order[due].at) >= seenFor || len(s.claims) >= s.limit) {
		old := s.order[due]
		if s.claims[old.claim] == old {
			delete(s.claims, old.claim)
		}
		s.order[due] = nil
		due++
	}
	s.order = s.order[due:]
}

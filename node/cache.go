package node

import (
	"maps"
	"sync"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// cache is which places this node keeps copies of because they are hot.
type cache struct {
	wishes chan records.Place // that a copy would be of use of

	mu      sync.Mutex // protects all below
	budget  int64      // bytes of records
	kept    map[records.Place]*cached
	refused map[records.Place]time.Time // when making a copy came to nothing
}

// cached is one copy. The goroutine that looks after it alone changes it; others
// ask whether it is there.
type cached struct {
	bytes   int64
	due     time.Time // it is compared with the members
	offered time.Time // it was last offered to all members
	until   time.Time // somebody may name us
}

const (
	cachePlaces = 256 // copies; members take offers of 64 places each
	cacheWishes = 16  // places waiting; what does not fit will be read again
	cacheWorks  = 4   // copies looked after at once

	// cacheLinger is how long a copy of which nobody may hear any more is kept for
	// those who heard of it.
	cacheLinger = protocol.CopyLease
	// cacheCalm is how long a place is let alone of which no copy was wanted.
	cacheCalm = 5 * time.Minute
	// cacheEvery is how often a copy is compared. A post that members have and the
	// copy has not costs each reader another question, so not much longer; and of
	// sixteen copies each member hears less than once a second.
	cacheEvery = 20 * time.Second
	// cacheSettle is when a node that has joined knows its region, and so which copies
	// of the last run are none of its business.
	cacheSettle = 30 * time.Second
	// cacheTick is how precisely all this is kept.
	cacheTick = time.Second
	// cacheSpread is within what readers who hear at the same time that a place is
	// hot begin, so that the first ones are named to the others.
	cacheSpread = 20 * time.Second
)

func newCache(budget int64) *cache {
	return &cache{
		budget: budget, wishes: make(chan records.Place, cacheWishes),
		kept: map[records.Place]*cached{}, refused: map[records.Place]time.Time{},
	}
}

// keeps tells whether there is a copy of a place.
func (c *cache) keeps(p records.Place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kept[p]
	return k != nil && k.bytes > 0
}

// size is how many copies there are, and what their records take.
func (c *cache) size() (places int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.kept {
		if k.bytes > 0 {
			places++
			bytes += k.bytes
		}
	}
	return places, bytes
}

// wish says that a copy of a place would be of use. It never waits.
func (c *cache) wish(p records.Place) {
	select {
	case c.wishes <- p:
	default:
	}
}

// begin makes room for a copy that is made at a time; false if there is none, or it
// was of no use lately.
func (c *cache) begin(p records.Place, now, due time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.refused, func(_ records.Place, at time.Time) bool { return now.Sub(at) >= cacheCalm })
	_, refused := c.refused[p]
	if c.budget == 0 || refused || c.kept[p] != nil || len(c.kept) >= cachePlaces || len(c.refused) >= cachePlaces {
		return false
	}
	c.kept[p] = &cached{due: due}
	return true
}

// fill notes what a copy takes; false if there is no room for it.
func (c *cache) fill(p records.Place, bytes int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := bytes
	for q, k := range c.kept {
		if q != p {
			all += k.bytes
		}
	}
	if all > c.budget {
		return false
	}
	c.kept[p].bytes = bytes
	return true
}

// end forgets a copy, and for a while that anybody wants one.
func (c *cache) end(p records.Place, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, p)
	c.refused[p] = now
}

// due are the copies to look after now.
func (c *cache) due(now time.Time) map[records.Place]*cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[records.Place]*cached{}
	for p, k := range c.kept {
		if !k.due.After(now) {
			out[p] = k
		}
	}
	return out
}

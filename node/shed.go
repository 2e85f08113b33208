package node

import (
	"context"
	"slices"
	"time"

	"github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/records"
)

// When a network grows, a node's region halves, and what lies in the other half is no
// longer its to hold. It is kept for a lease that halves with every bit that it is away
// (see [healing.LeaseOf]), so that a network that grows and shrinks again moves nothing.
// Then it is dropped, or sooner where the store is short of room, what is furthest away
// first, and at once by a node that has no room for its share (narrow.go); but never
// before the members there have shown that they hold it: no lease ends the last copy.

const shedBatch = 64 // places whose members are asked at once

// shed drops what others hold now and whose lease is over. Where room is short that is
// all that is furthest away: whether it was enough shows only some time after.
func (n *Node) shed(ctx context.Context) {
	room, err := n.store.Room()
	if err != nil {
		n.voices.heal.Warn("ask how much room there is", "err", err)
		return
	}
	short, narrowed := room.Short, n.dht.Narrowed() > 0
	for shared := range n.dht.Prefix() {
		if !n.healer.over(shared, n.now(), short || narrowed) {
			continue
		}
		before := n.healer.healing().Dropped
		if n.concede(ctx, shared, true) {
			n.healer.swept(shared, n.now())
		}
		short = short && n.healer.healing().Dropped == before
	}
}

// concede goes through what we hold of the places that share just so many bits with us,
// and tells whether the members there hold all of it. What they lack they are given;
// what they hold is dropped, if that is due.
func (n *Node) concede(ctx context.Context, shared int, drop bool) bool {
	var places []records.Place
	var last records.Coordinate
	complete := true
	for e, err := range n.store.Entries(healing.Part{Prefix: standsAt(n.host.ID()), Bits: shared + 1}.Other().Ends()) {
		if err != nil {
			n.voices.heal.Warn("look for what is no longer ours", "err", err)
			return false
		}
		if e.Coordinate == last || n.copies.keeps(e.Place) || n.cache.keeps(e.Place) {
			continue
		}
		last = e.Coordinate
		if places = append(places, e.Place); len(places) == shedBatch {
			complete = n.handOver(ctx, places, drop) && complete
			places = places[:0]
		}
	}
	return n.handOver(ctx, places, drop) && complete && ctx.Err() == nil
}

// over tells whether to let go of what shares just so many bits with us.
func (h *healer) over(shared int, now time.Time, short bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leases.Over(shared, now, short)
}

// settled tells whether nothing is left of what lies outside of our region.
func (h *healer) settled(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leases.Settled(now)
}

func (h *healer) swept(shared int, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leases.Swept(shared, now)
}

// handOver gives the members of places what they showed to lack of ours, drops those of
// which they hold all that we do, if that is due, and tells whether that was so of all.
func (n *Node) handOver(ctx context.Context, places []records.Place, drop bool) bool {
	if len(places) == 0 {
		return true
	}
	readings, own := n.confront(ctx, places)
	narrowed := n.dht.Narrowed() > 0
	var held []records.Place
	for i, r := range readings {
		if n.heldThere(r, own[i], narrowed) {
			held = append(held, places[i])
		} else if len(r.members) > 0 {
			n.repair(ctx, r, r.union())
		}
	}
	if drop && len(held) > 0 {
		if err := n.store.Drop(ctx, held); err != nil {
			n.voices.heal.Warn("drop what others hold now", "places", len(held), "err", err)
			return false
		}
		n.healer.dropped(len(held))
		n.voices.heal.Info("handed over", "places", len(held))
	}
	return len(held) == len(places)
}

// confront asks all members of places whether they hold what we do. One that we are a
// member of after all, or that is damaged here, has no members to ask.
func (n *Node) confront(ctx context.Context, places []records.Place) ([]*reading, []records.Bucket) {
	queries := make([]records.Query, len(places))
	for i, p := range places {
		queries[i] = records.Query{Place: p, Before: records.Newest, Limit: n.config.Network.Capacity(p)}
	}
	readings, own := n.readings(ctx, queries), make([]records.Bucket, len(places))
	for i, r := range readings {
		b, err := n.store.Bucket(queries[i])
		if err != nil || slices.Contains(r.members, n.host.ID()) {
			r.members = nil
			continue
		}
		own[i] = b
		r.everybody = true
		r.holding(n.host.ID(), b, false)
	}
	n.ask(ctx, readings)
	return readings, own
}

// heldThere tells whether a majority of the members of a place, and no fewer than
// make a neighbourhood, hold all that we do; and whether nothing is on its way down
// from here. Where a neighbourhood has fewer members, all of them must do, unless it is
// ours and we only have no room for it.
func (n *Node) heldThere(r *reading, own records.Bucket, narrowed bool) bool {
	if len(r.members) == 0 {
		return false
	}
	for _, w := range own.Witnesses {
		if witnessOf(own, own.Place.ChildFor(w)) != w {
			return false
		}
	}
	enough := map[records.Fingerprint]bool{own.Fingerprint: true} // of ours, or of more that somebody showed
	for _, m := range r.members {
		if full, shown := r.full[m]; shown && len(lacking(full, own)) == 0 {
			enough[full.Fingerprint] = true
		}
	}
	hold := 0
	for _, m := range r.members {
		b, told := r.full[m]
		if !told {
			b, told = r.prints[m]
		}
		if told && enough[b.Fingerprint] {
			hold++
		}
	}
	least := n.config.Network.Params.Neighbourhood
	if !narrowed {
		least = min(least, len(r.members))
	}
	return hold >= max(majority(len(r.members)), least)
}

func (h *healer) dropped(places int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status.Dropped += int64(places)
}

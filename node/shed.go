package node

import (
	"context"
	"slices"

	"github.com/starling-social/starling/records"
)

// When a network grows, a node's region halves, and what lies in the other half is
// no longer its to hold. It is kept until the members there show that they hold it,
// and one bit more than the region is kept always, because neighbours need not agree
// on how large it is. So a network that grows and shrinks by a few nodes moves
// nothing. Only a node that has no room for its share keeps nothing else (narrow.go).

const shedBatch = 64 // places whose members are asked at once

// shed drops what others hold now. It goes through the store once after our region
// has become smaller, and again as long as something is left that the members there
// do not hold yet; these are given it.
func (n *Node) shed(ctx context.Context) {
	bits := n.reach()
	if n.healer.shedTo(bits) {
		return
	}
	self := standsAt(n.host.ID())
	var places []records.Place
	var last records.Coordinate
	complete := true
	for e, err := range n.store.All() {
		if err != nil {
			n.voices.heal.Warn("look for what is no longer ours", "err", err)
			return
		}
		if e.Coordinate == last || self.SharedBits(e.Coordinate) >= bits || n.copies.keeps(e.Place) || n.cache.keeps(e.Place) {
			continue
		}
		last = e.Coordinate
		if places = append(places, e.Place); len(places) == shedBatch {
			complete = n.handOver(ctx, places) && complete
			places = places[:0]
		}
	}
	complete = n.handOver(ctx, places) && complete
	if complete && ctx.Err() == nil && n.reach() == bits {
		n.healer.shedDone(bits)
	}
}

// reach is how many bits of our coordinate all that we keep for others for good shares.
func (n *Node) reach() int {
	if n.dht.Narrowed() > 0 {
		return n.dht.Prefix()
	}
	return max(0, n.dht.Prefix()-1)
}

// shedTo tells whether everything that shares fewer bits with us has been shed.
func (h *healer) shedTo(bits int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.shed.due(bits)
}

func (h *healer) shedDone(bits int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shed.done(bits)
}

// handOver drops those of places whose members hold all that we do, gives the members
// of the others what they showed to lack, and tells whether all could be dropped.
func (n *Node) handOver(ctx context.Context, places []records.Place) bool {
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
	if len(held) > 0 {
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

package node

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/starling-social/starling/records"
)

// What a put displaces belongs below, and is served where it was until a majority
// of the members there have it. The writer carries it down at once. If it fails, the
// holders do: each after a minute of its own choosing, so that the first of them
// finds work and the others, mostly, that it is done.

// Bounds of what a writer carries. Holders see to the rest.
const (
	carryTimeout = 30 * time.Second
	carryMost    = 256 // records of one publication: a late one displaces two a level
)

// carry brings what was displaced by our puts to the places below. It is not
// waited for: the holders that displaced it still serve it.
func (n *Node) carry(ctx context.Context, open []*descent) {
	if len(open) == 0 {
		return
	}
	n.tasks.start(ctx, carryTimeout, func(ctx context.Context) {
		left := carryMost
		for len(open) > 0 {
			fallen, err := n.descend(ctx, open, false)
			if err != nil {
				n.voices.carry.Debug("carry down displaced records", "err", err)
				return
			}
			fallen = fallen[:min(len(fallen), left)]
			left -= len(fallen)
			open = append(stillOpen(open), fallen...)
		}
	})
}

// Bounds of what a holder carries.
const (
	carryAfter = time.Minute      // since we saw that it was displaced: half of that to one and a half
	carryAgain = 5 * time.Minute  // since it could not be carried
	carryTick  = 10 * time.Second // between two looks at what waits: at most
	carryBatch = 64               // records a look, so about six a second at most
	carryList  = 4096             // records looked at
)

// A waiting record is one that a place keeps until it has been carried down.
type waiting struct {
	place records.Place
	id    records.ID
}

// carryDown carries down what this node's store keeps only until it is below. While
// nothing is displaced it does nothing at all.
func (n *Node) carryDown(ctx context.Context) error {
	for due := map[waiting]time.Time{}; ; {
		select {
		case <-n.holder.displaced:
		case <-ctx.Done():
			return nil
		}
		for ready := n.listDisplaced(due); len(due) > 0; ready = n.listDisplaced(due) {
			n.carryBatch(ctx, due, ready)
			if !pause(ctx, jitter(carryTick)) {
				return nil
			}
		}
	}
}

// listDisplaced brings due up to what is displaced now, and returns what is due.
// Copies of followed trees are not ours to carry.
func (n *Node) listDisplaced(due map[waiting]time.Time) (ready []records.Put) {
	now, seen := n.now(), map[waiting]bool{}
	for put, err := range n.store.Displaced() {
		if err != nil {
			n.voices.carry.Warn("list what is displaced", "err", err)
			break
		}
		if !n.dht.Holds(put.Place.Coordinate()) && n.copies.keeps(put.Place) {
			continue
		}
		w := waiting{put.Place, put.Record.ID()}
		seen[w] = true
		if _, known := due[w]; !known {
			due[w] = now.Add(jitter(carryAfter))
		}
		if !now.Before(due[w]) && len(ready) < carryBatch {
			ready = append(ready, put)
		}
		if len(seen) == carryList {
			break
		}
	}
	for w := range due {
		if !seen[w] {
			delete(due, w)
		}
	}
	return ready
}

// carryBatch sees that displaced records are below, and then lets go of them.
func (n *Node) carryBatch(ctx context.Context, due map[waiting]time.Time, ready []records.Put) {
	if len(ready) == 0 {
		return
	}
	var open []*descent
	of := map[*descent]records.Put{}
	below := n.standBelow(ctx, ready)
	var done []records.Put
	for i, put := range ready {
		if below[i] {
			done = append(done, put)
			continue
		}
		d := &descent{record: put.Record, root: put.Place.Root(), at: put.Place.ChildFor(put.Record)}
		of[d] = put
		open = append(open, d)
		due[waiting{put.Place, put.Record.ID()}] = n.now().Add(jitter(carryAgain))
	}
	for len(open) > 0 {
		fallen, err := n.descend(ctx, open, false)
		if err != nil {
			n.voices.carry.Debug("carry down what waits", "err", err)
			return
		}
		n.carry(ctx, fallen)
		open = stillOpen(open)
	}
	for d, put := range of {
		if d.last.stored >= majority(d.last.members) {
			done = append(done, put)
		}
	}
	if err := n.store.Carried(ctx, done); err != nil && ctx.Err() == nil {
		n.voices.carry.Warn("let go of what was carried down", "err", err)
	}
}

// standBelow tells which displaced records a majority of the members below have
// already: as a record of the bucket, as its witness, or deeper still where a
// majority witnesses that there is more.
func (n *Node) standBelow(ctx context.Context, displaced []records.Put) []bool {
	stand := make([]bool, len(displaced))
	var open []int // of displaced
	at := make([]records.Place, len(displaced))
	for i, put := range displaced {
		at[i] = put.Place.ChildFor(put.Record)
		open = append(open, i)
	}
	for len(open) > 0 {
		queries := make([]records.Query, len(open))
		for k, i := range open {
			queries[k] = justUpTo(at[i], displaced[i].Record)
		}
		shown := n.agreed(ctx, queries)
		var deeper []int
		for k, i := range open {
			r, child := displaced[i].Record, at[i].ChildFor(displaced[i].Record)
			if shown[k] == nil {
				continue
			}
			w := witnessOf(*shown[k], child)
			switch {
			case holds(shown[k].Records, r), holds([]*records.Record{w}, r):
				stand[i] = true
			case w != nil && child != at[i]:
				at[i] = child
				deeper = append(deeper, i)
			}
		}
		open = deeper
	}
	return stand
}

// justUpTo asks for the record that stands at r's position, or else before it.
func justUpTo(p records.Place, r *records.Record) records.Query {
	return records.Query{Place: p, Before: after(p.Position(r)), Limit: 1}
}

// agreed is what a majority of the members of each place hold; nil where no majority
// holds the same.
func (n *Node) agreed(ctx context.Context, queries []records.Query) []*records.Bucket {
	out := make([]*records.Bucket, len(queries))
	readings := n.readings(ctx, queries)
	for _, r := range readings {
		r.vote = true
	}
	n.ask(ctx, readings)
	for i, r := range readings {
		if all := r.union(); len(r.full) > 0 && r.agreed(all.Fingerprint) {
			n.tree.saw(all)
			out[i] = &all
		}
	}
	return out
}

// witnessOf is the witness that b shows for a child: the smallest of those that
// belong there, which alone is part of what members agree on.
func witnessOf(b records.Bucket, child records.Place) (smallest *records.Record) {
	for _, w := range b.Witnesses {
		if b.Place.ChildFor(w) == child && (smallest == nil || b.Place.Position(w).Compare(b.Place.Position(smallest)) < 0) {
			smallest = w
		}
	}
	return smallest
}

// holds tells whether r, or a newer version of the same thing, is among shown.
func holds(shown []*records.Record, r *records.Record) bool {
	return slices.ContainsFunc(shown, func(s *records.Record) bool {
		return s != nil && s.ItemKey() == r.ItemKey() && !r.Wins(s)
	})
}

// jitter is a time from half of d to one and a half, so that neighbours do not all
// do at once what each of them may do.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// pause waits; false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

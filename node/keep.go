package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// keep makes copies of followed places whole: it merges what the members of each
// gave when they were asked, together with what this node had, and then counts them
// as compared. Each bucket must be all of a place, not a page. Places of other
// trees are left alone.
func (n *Node) keep(ctx context.Context, whole []records.Bucket, asked time.Time) error {
	n.copies.writing.RLock()
	defer n.copies.writing.RUnlock()
	var puts []records.Put
	for _, b := range whole {
		if n.copies.keeps(b.Place) && !n.has(b) {
			puts = append(puts, leading(b)...)
			puts = append(puts, within(b)...)
		}
	}
	if len(puts) > 0 {
		outcomes, err := n.store.MergeAs(ctx, datastore.Followed, puts)
		if err == nil {
			err = n.sinkDisplaced(ctx, puts, outcomes)
		}
		if err != nil {
			return fmt.Errorf("keep copies of %d places: %w", len(whole), err)
		}
	}
	for _, b := range whole {
		n.copies.compare(b.Place, asked)
	}
	return nil
}

// settled tells whether our copy of a place says all that its members would: it is
// fresh, or the one above it is and bears no witness to it, so that nothing can have been
// put there. Readers guess slots of time that have begun since they last asked.
func (n *Node) settled(ctx context.Context, p records.Place, now time.Time) bool {
	if n.copies.fresh(ctx, p, now) {
		return true
	}
	parent, below := p.Parent()
	if !below || !n.copies.keeps(p) || !n.settled(ctx, parent, now) {
		return false
	}
	var above records.Bucket
	return n.recall(records.Query{Place: parent, Before: records.Newest, Limit: n.config.Network.Capacity(parent)}, &above) == nil && !leads(above, p)
}

// populated tells whether so many members can be all of a place's: a neighbourhood has
// at least K, or the whole network. Who has just come back from being cut off knows
// fewer for a while, and compares nothing meanwhile.
func (n *Node) populated(members int) bool {
	expected := min(float64(n.config.Network.Params.Neighbourhood), n.dht.Size())
	return 2*float64(members) >= expected
}

// has tells whether the copy of a place holds all that a bucket shows.
func (n *Node) has(b records.Bucket) bool {
	var own records.Bucket
	if n.recall(records.Query{Place: b.Place, Before: records.Newest, Limit: n.config.Network.Capacity(b.Place)}, &own) != nil {
		return false
	}
	held := map[records.ID]bool{}
	for _, r := range slices.Concat(own.Records, own.Witnesses) {
		held[r.ID()] = true
	}
	return !slices.ContainsFunc(slices.Concat(b.Records, b.Witnesses), func(r *records.Record) bool { return !held[r.ID()] })
}

// within are the puts of all that a bucket shows: at its place, and of what is on
// its way down from there, one level deeper too.
func within(b records.Bucket) (puts []records.Put) {
	for _, r := range slices.Concat(b.Records, b.Witnesses) {
		puts = append(puts, records.Put{Place: b.Place, Record: r})
	}
	witnessed := map[records.Place]bool{}
	byPosition := func(r, s *records.Record) int { return b.Place.Position(r).Compare(b.Place.Position(s)) }
	for _, r := range slices.SortedFunc(slices.Values(b.Witnesses), byPosition) {
		child := b.Place.ChildFor(r)
		if witnessed[child] && child != b.Place {
			puts = append(puts, records.Put{Place: child, Record: r}) // the smallest is the witness
		}
		witnessed[child] = true
	}
	return puts
}

// leading are the puts by which the copy of a place is found again from the root:
// every place above has something that stands in its direction.
func leading(b records.Bucket) (puts []records.Put) {
	all := slices.Concat(b.Records, b.Witnesses)
	if len(all) == 0 {
		return nil
	}
	oldest := slices.MinFunc(all, func(r, s *records.Record) int { return b.Place.Position(r).Compare(b.Place.Position(s)) })
	for p, below := b.Place.Parent(); below; p, below = p.Parent() {
		puts = append(puts, records.Put{Place: p, Record: oldest})
	}
	return puts
}

// arrive merges what was heard, put to the roots of followed trees, into the
// copies, from the root down. What is new to a bucket sinks no further; what it
// displaces does.
func (n *Node) arrive(ctx context.Context, heard []records.Put) error {
	n.copies.writing.RLock()
	defer n.copies.writing.RUnlock()
	var puts []records.Put
	for _, p := range heard {
		if n.copies.keeps(p.Place) && records.Fits(p.Record, p.Place) == nil {
			puts = append(puts, p)
		}
	}
	if err := n.sink(ctx, puts); err != nil {
		return fmt.Errorf("keep %d arrivals: %w", len(puts), err)
	}
	return nil
}

// keepOwn has the copies of followed trees hold what we published, so that whoever
// published finds it at home at once, whether it was heard already or not.
func (n *Node) keepOwn(ctx context.Context, r *records.Record) {
	var puts []records.Put
	for _, root := range r.Roots() {
		puts = append(puts, records.Put{Place: root, Record: r})
	}
	if err := n.arrive(ctx, puts); err != nil {
		n.voices.follow.Debug("keep what was published", "err", err) // it is heard too, or read from its members
	}
}

// sink merges records where they are put, and what belongs below, one level
// deeper, until everything has come to rest.
func (n *Node) sink(ctx context.Context, puts []records.Put) error {
	for len(puts) > 0 {
		outcomes, err := n.store.MergeAs(ctx, datastore.Followed, puts)
		if err != nil {
			return err
		}
		if err := n.sinkDisplaced(ctx, puts, outcomes); err != nil {
			return err
		}
		puts = below(puts, outcomes)
	}
	return nil
}

// sinkDisplaced sees to what records took the place of: it sinks, and then a copy
// need not keep it any longer. Of places that are ours to hold it is carried down
// like everything else there.
func (n *Node) sinkDisplaced(ctx context.Context, puts []records.Put, outcomes []records.Outcome) error {
	var fallen, from []records.Put
	for i, o := range outcomes {
		for _, r := range o.Displaced {
			at := puts[i].Place
			fallen = append(fallen, records.Put{Place: at.ChildFor(r), Record: r})
			if n.dht.Holds(at.Coordinate()) {
				n.holder.note()
			} else {
				from = append(from, records.Put{Place: at, Record: r})
			}
		}
	}
	if len(fallen) == 0 {
		return nil
	}
	if err := n.sink(ctx, fallen); err != nil {
		return err
	}
	return n.store.Carried(ctx, from)
}

// below are the puts of records that belong deeper than where they were put.
func below(puts []records.Put, outcomes []records.Outcome) (out []records.Put) {
	for i, o := range outcomes {
		if child := puts[i].Place.ChildFor(puts[i].Record); o.Status == records.Below && child != puts[i].Place {
			out = append(out, records.Put{Place: child, Record: puts[i].Record})
		}
	}
	return out
}

// dropCopies takes the copies of a tree out of the store, but for those of places
// that are ours to hold. The deepest go first, so that what is left after a crash
// is found again from the root.
func (n *Node) dropCopies(ctx context.Context, root records.Place) error {
	var copied []records.Place
	for p, err := range n.held(root) {
		if err != nil {
			return err
		}
		if !n.ours(p) {
			copied = append(copied, p)
		}
	}
	slices.SortStableFunc(copied, func(p, q records.Place) int { return q.Level() - p.Level() })
	return n.store.Drop(ctx, copied)
}

// held yields the places of a tree of which something is in the store. Whatever is
// anywhere, every place above has it too, or something else that stands there.
func (n *Node) held(root records.Place) iter.Seq2[records.Place, error] {
	return func(yield func(records.Place, error) bool) {
		seen := map[records.Place]bool{root: true}
		for open := []records.Place{root}; len(open) > 0; {
			p := open[0]
			open = open[1:]
			b, err := n.store.Bucket(records.Query{Place: p, Before: records.Newest, Limit: n.config.Network.Capacity(p)})
			if err != nil && !errors.Is(err, datastore.ErrCorrupt) {
				yield(p, fmt.Errorf("look for copies: %w", err))
				return
			}
			if len(b.Records)+len(b.Witnesses) == 0 {
				continue
			}
			if !yield(p, nil) {
				return
			}
			for _, r := range slices.Concat(b.Records, b.Witnesses) {
				if child := p.ChildFor(r); !seen[child] {
					seen[child] = true
					open = append(open, child)
				}
			}
		}
	}
}

// ours tells whether this node holds a place for others, or may be taken to.
func (n *Node) ours(p records.Place) bool {
	return !n.config.Client && exchange.Member(n.dht, p.Coordinate())
}

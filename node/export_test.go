package node

import (
	"context"
	"time"

	"github.com/starling-social/starling/records"
)

// Tasks is what owns background work.
type Tasks struct{ tasks tasks }

func (t *Tasks) Start(ctx context.Context, timeout time.Duration, f func(ctx context.Context)) bool {
	return t.tasks.start(ctx, timeout, f)
}

func (t *Tasks) Close() { t.tasks.close() }

// Copies is what a node knows of its copies of followed trees.
type Copies struct{ copies *copies }

func NewCopies() Copies { return Copies{newCopies()} }

func (c Copies) Follow(root records.Place)                { c.copies.follow(root) }
func (c Copies) Unfollow(root records.Place)              { c.copies.unfollow(root) }
func (c Copies) Heard(root records.Place, now time.Time)  { c.copies.heard(root, now) }
func (c Copies) Broken(root records.Place)                { c.copies.broken(root) }
func (c Copies) Compare(p records.Place, asked time.Time) { c.copies.compare(p, asked) }
func (c Copies) Spoil(p records.Place)                    { c.copies.spoil(p) }
func (c Copies) Keeps(p records.Place) bool               { return c.copies.keeps(p) }
func (c Copies) Fresh(p records.Place, now time.Time) bool {
	return c.copies.fresh(context.Background(), p, now)
}

func (c Copies) Doubted(p records.Place, now time.Time) bool {
	return !c.copies.fresh(doubting(context.Background()), p, now)
}

// Step is where a record that was put to p goes next, by what p's members did, when
// the round was repeated again times before; done where it goes no further.
func Step(p records.Place, r *records.Record, members, stored, below, lost, again int) (at records.Place, done bool) {
	d := &descent{record: r, root: p.Root(), at: p, again: again}
	d.learn(tally{members: members, stored: stored, below: below, lost: lost})
	return d.at, d.done
}

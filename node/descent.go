package node

import (
	"context"

	"github.com/starling-social/starling/records"
)

// descend makes one round: a put for every open descent, and what each teaches. It
// returns the descents that begin with what the puts displaced.
func (n *Node) descend(ctx context.Context, open []*descent, first bool) (fallen []*descent, err error) {
	var puts []records.Put
	for _, d := range open {
		d.put = len(puts)
		puts = append(puts, records.Put{Place: d.at, Record: d.record})
		if first {
			puts = append(puts, d.alongside()...)
		}
	}
	tallies, err := n.putRound(ctx, puts)
	if err != nil {
		return nil, err
	}
	for _, d := range open {
		d.learn(tallies[d.put])
	}
	return n.taught(puts, tallies), nil
}

// taught remembers what puts taught of the tree, and returns the descents that begin
// with what they displaced.
func (n *Node) taught(puts []records.Put, tallies []tally) (fallen []*descent) {
	for i, t := range tallies {
		p := puts[i].Place
		if t.below >= majority(t.members) {
			n.tree.below(p, puts[i].Record, t.bound)
		}
		for _, r := range t.gone() {
			fallen = append(fallen, &descent{record: r, root: p.Root(), at: p.ChildFor(r)})
		}
	}
	return fallen
}

// descent is the way of a record down the tree of one of its roots.
type descent struct {
	record  *records.Record
	root    records.Place
	later   bool          // not the first version of its thing
	at      records.Place // where it is put next, or came to rest
	put     int           // index of this round's put
	last    tally
	rested  *rest // where a majority has it, though it goes on below because the core says that it belongs there
	shown   int   // other members that showed the record afterwards
	led     bool  // enough others showed instead that more stands below, where it would
	doubted bool  // its members were found anew because too few showed it
	again   int   // rounds repeated because members were lost, or were none
	done    bool
}

// rest is where a record rests, and what members did when it was put there.
type rest struct {
	at records.Place
	tally
}

// maxAgain bounds looking for the members of one place anew.
const maxAgain = 3

// alongside are the puts that go with the first one. Followers listen at the
// roots of users, mentions and threads, so every version passes there; and a
// version that is not the first replaces the older one wherever it stands above,
// as witness or in a bucket.
func (d *descent) alongside() (puts []records.Put) {
	if d.at.IsRoot() {
		return nil
	}
	if !d.later {
		if d.root.Kind() == records.PlaceTag || d.root.Kind() == records.PlaceSequel {
			return nil
		}
		return []records.Put{{Place: d.root, Record: d.record}}
	}
	for p, ok := d.at.Parent(); ok; p, ok = p.Parent() {
		puts = append(puts, records.Put{Place: p, Record: d.record})
	}
	return puts
}

// learn decides what a round's tally means: at rest, further down, or stuck.
func (d *descent) learn(t tally) {
	d.last = t
	child := d.at.ChildFor(d.record)
	need := majority(t.members)
	switch {
	case (t.thin || t.stored+t.below < need && t.lost > 0) && d.again < maxAgain:
		d.again++ // the members are others now: find them
	case t.stored >= need && child != d.at && t.disputed():
		d.rested, d.at = &rest{d.at, t}, child
	case t.stored >= need, child == d.at, t.stored+t.below < need:
		d.done = true
		if t.stored < need && d.rested != nil {
			d.at, d.last = d.rested.at, d.rested.tally
		}
	default:
		d.at = child
	}
}

func stillOpen(all []*descent) (open []*descent) {
	for _, d := range all {
		if !d.done {
			open = append(open, d)
		}
	}
	return open
}

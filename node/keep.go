package node

import (
	"context"
	"fmt"
	"time"

	"github.com/starling-social/starling/records"
)

// keep makes the copy of a followed place whole: it merges the union of what the
// place's members gave, when they were asked, and of what this node had, and then
// counts the copy as compared. The bucket must be all of the place, not a page.
// Places of other trees are left alone.
func (n *Node) keep(ctx context.Context, b records.Bucket, asked time.Time) error {
	n.copies.writing.RLock()
	defer n.copies.writing.RUnlock()
	if !n.copies.keeps(b.Place) {
		return nil
	}
	var puts []records.Put
	for _, r := range b.Records {
		puts = append(puts, records.Put{Place: b.Place, Record: r})
	}
	for _, r := range b.Witnesses {
		puts = append(puts, records.Put{Place: b.Place, Record: r})
	}
	outcomes, err := n.store.Merge(ctx, puts)
	if err != nil {
		return fmt.Errorf("keep copy of %s: %w", b.Place, err)
	}
	if err := n.sink(ctx, displaced(puts, outcomes)); err != nil {
		return fmt.Errorf("keep copy of %s: %w", b.Place, err)
	}
	n.copies.compare(b.Place, asked)
	return nil
}

// arrive merges what was heard of a followed tree into its copies, from the root
// down. A record that is new to a bucket sinks no further; what it displaces does.
func (n *Node) arrive(ctx context.Context, root records.Place, arrived []*records.Record) error {
	n.copies.writing.RLock()
	defer n.copies.writing.RUnlock()
	if !n.copies.keeps(root) {
		return nil
	}
	var puts []records.Put
	for _, r := range arrived {
		if records.Fits(r, root) == nil {
			puts = append(puts, records.Put{Place: root, Record: r})
		}
	}
	if err := n.sink(ctx, puts); err != nil {
		return fmt.Errorf("keep arrivals of %s: %w", root, err)
	}
	return nil
}

// sink merges records where they are put, and what belongs below, one level
// deeper, until everything has come to rest.
func (n *Node) sink(ctx context.Context, puts []records.Put) error {
	for len(puts) > 0 {
		outcomes, err := n.store.Merge(ctx, puts)
		if err != nil {
			return err
		}
		puts = append(below(puts, outcomes), displaced(puts, outcomes)...)
	}
	return nil
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

// displaced are the puts of records that others took the place of.
func displaced(puts []records.Put, outcomes []records.Outcome) (out []records.Put) {
	for i, o := range outcomes {
		for _, r := range o.Displaced {
			if child := puts[i].Place.ChildFor(r); child != puts[i].Place {
				out = append(out, records.Put{Place: child, Record: r})
			}
		}
	}
	return out
}

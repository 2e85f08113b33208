package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/starling-social/starling/records"
)

// Nicknames are claimed, not owned: whoever likes claims one, each person once, and
// nobody can take another's claim away. So a name alone names nobody. It is shown with
// a part of the claimant's key, name#key, and what anybody is called is for the reader
// to decide.

// MaxClaims is how many claimants of one nickname are read at most. Claims cost their
// makers work, and whoever is looked for under a name that so many claim is better
// asked for the key.
const MaxClaims = 1024

// claimRounds is how deep the tree of so many claims is, and as much again for one
// that was ground to be deep.
const claimRounds = 8

// Claim claims a nickname for us, or says again that we do.
func (n *Node) Claim(ctx context.Context, nickname records.Tag) (Receipt, error) {
	return n.claim(ctx, nickname, func(prev *records.Record) (records.Draft, error) {
		return records.NewClaim(prev, records.MillisOf(n.now()), nickname), nil
	})
}

// Unclaim gives a nickname up; [ErrNotFound] when we do not claim it.
func (n *Node) Unclaim(ctx context.Context, nickname records.Tag) (Receipt, error) {
	return n.claim(ctx, nickname, func(prev *records.Record) (records.Draft, error) {
		if prev == nil || prev.Deleted() {
			return records.Draft{}, ErrNotFound
		}
		return records.Tombstone(prev, records.MillisOf(n.now())), nil
	})
}

func (n *Node) claim(ctx context.Context, nickname records.Tag, draft func(prev *records.Record) (records.Draft, error)) (Receipt, error) {
	all, err := n.claims(ctx, nickname)
	if err != nil && !errors.Is(err, ErrManyClaims) {
		return Receipt{}, err
	}
	var prev *records.Record
	for _, r := range all {
		if r.Author() == n.User() {
			prev = r
		}
	}
	d, err := draft(prev)
	if err != nil {
		return Receipt{}, err
	}
	r, err := records.Seal(ctx, n.config.Network, records.AuthorSigner(n.config.Person), d)
	if err != nil {
		return Receipt{}, err
	}
	return n.place(ctx, r, prev != nil)
}

// FindName is the claims of a nickname, in the order of their item keys, which says
// nothing about whose claim is the better one. With [ErrManyClaims] there are more,
// with [*GapError] a part of them did not answer; what was found comes with both.
func (n *Node) FindName(ctx context.Context, nickname records.Tag) ([]*records.Record, error) {
	all, err := n.claims(ctx, nickname)
	return slices.DeleteFunc(all, (*records.Record).Deleted), err
}

// claims reads the tree of a nickname, tombstones included, level by level.
func (n *Node) claims(ctx context.Context, nickname records.Tag) ([]*records.Record, error) {
	held := map[records.ItemKey]*records.Record{}
	var gaps []records.Place
	open := []records.Place{records.NamesPlace(nickname)}
	for range claimRounds {
		if len(open) == 0 || len(held) >= MaxClaims {
			break
		}
		buckets, errs := n.read(ctx, wholes(n.config.Network, open))
		var next []records.Place
		for i, b := range buckets {
			if errs[i] != nil {
				gaps = append(gaps, open[i])
				continue
			}
			keepWinners(held, b.Records)
			keepWinners(held, b.Witnesses)
			next = append(next, childrenOf(b)...)
		}
		open = next
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("find name: %w", err)
	}
	out := newestFirst(records.NamesPlace(nickname), held)
	slices.Reverse(out)
	switch {
	case len(open) > 0:
		return out, ErrManyClaims
	case len(gaps) > 0:
		return out, &GapError{gaps}
	default:
		return out, nil
	}
}

// wholes asks for all of some places.
func wholes(network records.Network, places []records.Place) []records.Query {
	out := make([]records.Query, len(places))
	for i, p := range places {
		out[i] = records.Query{Place: p, Before: records.Newest, Limit: network.Capacity(p)}
	}
	return out
}

// childrenOf are the places below a bucket of which it shows witnesses.
func childrenOf(b records.Bucket) (out []records.Place) {
	for _, w := range b.Witnesses {
		if child := b.Place.ChildFor(w); child != b.Place && !slices.Contains(out, child) {
			out = append(out, child)
		}
	}
	return out
}

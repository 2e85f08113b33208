package exchange

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// A node is often a member of the places it writes and follows. It then does for
// itself, without the wire, what its server does for others.

// Put offers this node's own records to its store, with the results that a client
// would have of it. Followers hear of what comes to a root.
func (s *Server) Put(ctx context.Context, puts []records.Put) ([]Result, error) {
	results, err := s.merge(ctx, puts)
	if err != nil {
		return nil, fmt.Errorf("put %d records here: %w", len(puts), err)
	}
	for i, r := range results {
		if errors.Is(r.Err, records.ErrMisplaced) {
			results[i].Err = refuse(r.Err)
		}
	}
	return results, nil
}

// Arrived tells the followers of a root of a record that came by another way than
// a put: gossip or healing.
func (s *Server) Arrived(root records.Place, r *records.Record) { s.board.arrive(root, r) }

// merge offers records to the store and tells followers of what came to a root. It
// fails as a whole only if the store did.
func (s *Server) merge(ctx context.Context, puts []records.Put) ([]Result, error) {
	outcomes, err := s.cfg.Store.Merge(ctx, puts)
	if len(outcomes) != len(puts) {
		return nil, fmt.Errorf("merge %d records: %w", len(puts), err)
	}
	results := make([]Result, len(puts))
	for i, p := range puts {
		if outcomes[i].Status == 0 {
			results[i].Err = fmt.Errorf("merge record at %s: %w", p.Place, err)
			continue
		}
		results[i].Outcome = outcomes[i]
		if p.Place.IsRoot() {
			s.board.arrive(p.Place, p.Record)
		}
	}
	return results, nil
}

// Follow yields what arrives at roots of this node, as [Client.Follow] does at
// another's, until ctx ends.
func (s *Server) Follow(ctx context.Context, from []Mark) iter.Seq2[Arrival, error] {
	return func(yield func(Arrival, error) bool) {
		at := slices.Clone(from)
		f := s.board.follow(at)
		defer s.board.unfollow(f)
		for {
			marks, read := s.board.next(f, protocol.FollowBatchBytes)
			for _, a := range arrivals(at, marks, read) {
				if !yield(a, nil) {
					return
				}
			}
			if len(marks)+len(read) > 0 {
				continue
			}
			select {
			case <-f.wake:
			case <-ctx.Done():
				yield(Arrival{}, ctx.Err())
				return
			}
		}
	}
}

// arrivals are a follower's news as its caller hears them. At keeps up with them.
func arrivals(at []Mark, marks []mark, read []news) (out []Arrival) {
	for _, k := range marks {
		m := &at[k.root]
		m.Epoch, m.Sequence = k.epoch, k.sequence
		out = append(out, Arrival{Mark: *m, Gap: k.gap})
	}
	for _, n := range read {
		m := &at[n.root]
		m.Sequence = n.sequence
		out = append(out, Arrival{Mark: *m, Record: n.record})
	}
	return out
}

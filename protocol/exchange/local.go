package exchange

import (
	"context"
	"iter"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// A node is often a member of the places it writes and follows. It then does for
// itself, without the wire, what its server does for others.

// Put offers this node's own records to its store, with the results that a client
// would have of it. Followers hear of what comes to a root.
func (s *Server) Put(ctx context.Context, puts []records.Put) ([]Result, error) {
	outcomes, err := s.cfg.Store.Merge(ctx, puts)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(puts))
	for i, p := range puts {
		results[i].Outcome = outcomes[i]
		if p.Place.IsRoot() {
			s.Arrived(p.Place, p.Record)
		}
	}
	return results, nil
}

// Follow yields what arrives at roots of this node, as [Client.Follow] does at
// another's, until ctx ends.
func (s *Server) Follow(ctx context.Context, from []Mark) iter.Seq2[Arrival, error] {
	return func(yield func(Arrival, error) bool) {
		f := s.board.follow(from)
		defer s.board.unfollow(f)
		for {
			marks, read := s.board.next(f, protocol.FollowBatchBytes)
			for _, a := range arrivals(from, marks, read) {
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

// arrivals are the news of a follower in the form of the wire's other end.
func arrivals(from []Mark, marks []mark, read []news) (out []Arrival) {
	for _, k := range marks {
		from[k.root].Epoch = k.epoch
		out = append(out, Arrival{Mark: Mark{from[k.root].Root, k.epoch, k.sequence}, Gap: k.gap})
	}
	for _, n := range read {
		out = append(out, Arrival{Mark: Mark{from[n.root].Root, from[n.root].Epoch, n.sequence}, Record: n.record})
	}
	return out
}

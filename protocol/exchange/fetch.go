package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// Answer is what came of one query: a bucket, or why there is none. Err is a
// [*Refusal], or wraps [ErrProtocol] when the peer sent what cannot be.
type Answer struct {
	Bucket records.Bucket
	Err    error
	Hot    bool     // many read this place, the peer says
	Copies [][]byte // who keeps copies of it, each for [OpenCopy]
}

// Fetch asks p for the buckets of many places and returns one answer for each
// query, in their order. Every record has passed the door and fits its place; a
// bad bucket spoils only itself. What p found too much for one answer is asked
// again, as long as that gets further.
func (c *Client) Fetch(ctx context.Context, p peer.ID, queries []records.Query) ([]Answer, error) {
	answers := make([]Answer, len(queries))
	rest := make([]int, len(queries)) // indices of queries not answered yet
	for i := range rest {
		rest[i] = i
	}
	for len(rest) > 0 {
		n := min(len(rest), protocol.MaxQueries)
		left, err := c.fetch(ctx, p, queries, rest[:n], answers)
		if err != nil {
			return nil, fmt.Errorf("fetch %d buckets from %s: %w", len(queries), p, err)
		}
		if len(left) == n {
			left = nil // not even one of them fits: their refusals stand
		}
		rest = append(left, rest[n:]...)
	}
	return answers, nil
}

// fetch asks for the queries with the given indices, fills in their answers and
// returns the indices of those that the peer had no room for.
func (c *Client) fetch(ctx context.Context, p peer.ID, queries []records.Query, indices []int, answers []Answer) (left []int, err error) {
	m := &pb.Fetch{Queries: make([]*pb.Query, len(indices))}
	for i, q := range indices {
		m.Queries[i] = queryMessage(queries[q])
	}
	replies, err := c.do(ctx, p, &pb.Request{Body: &pb.Request_Fetch{Fetch: m}}, protocol.MaxAnswer+protocol.MaxReply)
	if err != nil {
		return nil, err
	}
	check := c.checker()
	next := 0
	for _, reply := range replies {
		buckets := reply.GetFetch().GetBuckets()
		if len(buckets) == 0 || len(buckets) > len(indices)-next {
			return nil, fmt.Errorf("%w: %d buckets, and %d of %d before", ErrProtocol, len(buckets), next, len(indices))
		}
		for _, b := range buckets {
			i := indices[next]
			next++
			answers[i] = check.answer(queries[i], b)
			if tooLarge(answers[i].Err) {
				left = append(left, i)
			}
		}
	}
	if next != len(indices) {
		return nil, fmt.Errorf("%w: %d buckets for %d queries", ErrProtocol, next, len(indices))
	}
	return left, nil
}

func tooLarge(err error) bool {
	var r *Refusal
	return errors.As(err, &r) && r.Code == TooLarge
}

package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// A node is often a member of the places it writes and reads. It then does for
// itself, without the wire, what it does for others.

// put offers records to a member, perhaps ourselves.
func (n *Node) put(ctx context.Context, p peer.ID, puts []records.Put) ([]exchange.Result, error) {
	if p == n.host.ID() {
		return n.server.Put(ctx, puts)
	}
	began := time.Now()
	ctx, span := n.span(ctx, "put")
	results, err := n.client.Put(ctx, p, puts)
	endPut(span, len(puts), results, err)
	n.metrics.put(len(puts), results, began, err)
	for _, r := range results {
		if refused := (*exchange.Refusal)(nil); errors.As(r.Err, &refused) && refused.Code == exchange.FromTheFuture {
			n.ahead.Add(1)
		}
	}
	n.report(ctx, p, err, false)
	return results, err
}

// fetch asks a member, perhaps ourselves, for buckets. Each has its own error.
func (n *Node) fetch(ctx context.Context, p peer.ID, queries []records.Query) ([]exchange.Answer, error) {
	if p != n.host.ID() {
		began := time.Now()
		ctx, span := n.span(ctx, "fetch")
		answers, err := n.client.Fetch(ctx, p, queries)
		endFetch(span, answers, len(queries), err)
		n.metrics.fetched(len(queries), answers, began, err)
		shown := 0
		for _, a := range answers {
			shown += len(a.Bucket.Records)
			if err == nil && errors.Is(a.Err, exchange.ErrProtocol) {
				n.report(ctx, p, a.Err, false)
			}
		}
		n.report(ctx, p, err, shown > 0)
		return answers, err
	}
	out := make([]exchange.Answer, len(queries))
	for i, q := range queries {
		out[i].Bucket, out[i].Err = n.answer(n.store, q)
	}
	return out, nil
}

// members are the nodes responsible for a place, nearest first. What it takes to find
// them is found out for all who ask next, and no cost of this call's trace.
func (n *Node) members(ctx context.Context, p records.Place) ([]peer.ID, error) {
	ctx, c := exchange.WithMeter(ctx, new(exchange.Meter)), p.Coordinate()
	near, holders, err := n.holders(ctx, c)
	if err == nil && len(holders) < n.config.Network.Params.Neighbourhood && n.dht.Few(c) {
		near, holders, err = n.holders(ctx, c) // what was found is from before the network grew
	}
	switch {
	case err != nil:
		return nil, err
	case len(holders) > 0:
		return holders, nil
	case len(near) == 0:
		return nil, fmt.Errorf("neighbourhood of %s is empty", p)
	default:
		return near, nil
	}
}

// holders are the nodes of a place's neighbourhood, and those of them who hold it.
// Neighbours need not agree on how large their neighbourhood is, so those who are known
// to hold less of it, and not this place, are left out, ourselves too.
func (n *Node) holders(ctx context.Context, c records.Coordinate) (near, holders []peer.ID, err error) {
	hood, err := n.dht.Members(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return hood.Peers, slices.DeleteFunc(slices.Clone(hood.Peers), func(m peer.ID) bool { return !n.mayHold(m, c) }), nil
}

// mayHold tells whether a node, perhaps ourselves, is not known to hold another region
// than that of c.
func (n *Node) mayHold(m peer.ID, c records.Coordinate) bool {
	if m == n.host.ID() {
		return n.dht.Holds(c)
	}
	bits, known := n.client.KnownPrefix(m)
	return !known || standsAt(m).SharedBits(c) >= bits
}

// prefixesOf are the bits of what nodes hold, of those that told lately.
func (n *Node) prefixesOf(nodes []peer.ID) map[peer.ID]int {
	held := make(map[peer.ID]int, len(nodes))
	for _, p := range nodes {
		if bits, told := n.client.KnownPrefix(p); told {
			held[p] = bits
		}
	}
	return held
}

// follow hears what arrives at a root from a member, perhaps ourselves.
func (n *Node) follow(ctx context.Context, p peer.ID, root records.Place) iter.Seq2[exchange.Arrival, error] {
	return n.followFrom(ctx, p, []exchange.Mark{{Root: root}})
}

// followFrom hears what arrived at roots after some marks.
func (n *Node) followFrom(ctx context.Context, p peer.ID, from []exchange.Mark) iter.Seq2[exchange.Arrival, error] {
	if p == n.host.ID() {
		return n.server.Follow(ctx, from)
	}
	return n.client.Follow(ctx, p, from)
}

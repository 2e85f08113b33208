package exchange

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// Result is what became of one put: an outcome, or why there is none. Err is a
// [*Refusal], or wraps [ErrProtocol] when the peer claimed what cannot be.
type Result struct {
	Outcome records.Outcome
	Err     error
}

// Put offers records to p, each at a place, and returns one result for each put,
// in their order. All that goes into one frame goes in one; a record at several
// places travels once. An outcome stands for a record on p's disk.
func (c *Client) Put(ctx context.Context, p peer.ID, puts []records.Put) ([]Result, error) {
	results := make([]Result, 0, len(puts))
	for len(results) < len(puts) {
		req, n := putRequest(puts[len(results):])
		part, err := c.put(ctx, p, req, puts[len(results):][:n])
		if err != nil {
			return nil, fmt.Errorf("put %d records to %s: %w", len(puts), p, err)
		}
		results = append(results, part...)
	}
	return results, nil
}

// putRequest is a request for the first n of puts, as many as a frame takes.
func putRequest(puts []records.Put) (req *pb.Request, n int) {
	m := &pb.Put{}
	index := map[records.Digest]uint32{} // not by pointer: a store reads a record anew each time
	size := 0
	for _, put := range puts[:min(len(puts), protocol.MaxPutEntries)] {
		place := put.Place.Bytes()
		i, known := index[put.Record.Digest()]
		size += entryOverhead + len(place)
		if !known {
			size += recordOverhead + len(put.Record.Bytes())
		}
		if size > protocol.MaxRequest || (!known && len(m.Records) == protocol.MaxPutRecords) {
			break
		}
		if !known {
			i = uint32(len(m.Records))
			index[put.Record.Digest()] = i
			m.Records = append(m.Records, put.Record.Bytes())
		}
		m.Entries = append(m.Entries, &pb.PutEntry{Place: place, Record: i})
	}
	return &pb.Request{Body: &pb.Request_Put{Put: m}}, len(m.Entries)
}

// What an entry takes besides its place, and a record besides itself: tags,
// lengths, an index; and what the whole message takes, with the first of them.
const (
	entryOverhead  = 16
	recordOverhead = 8
)

func (c *Client) put(ctx context.Context, p peer.ID, req *pb.Request, puts []records.Put) ([]Result, error) {
	// An outcome names at most what is held, what was displaced and its witness.
	most := protocol.SmallReply + len(puts)*(3*(records.MaxRecord+recordOverhead)+2*len(records.ItemKey{}))
	replies, err := c.do(ctx, p, req, most)
	if err != nil {
		return nil, err
	}
	check := c.checker()
	results := make([]Result, 0, len(puts))
	for _, reply := range replies {
		m := reply.GetPut()
		if n := len(m.GetOutcomes()); m == nil || n == 0 || n > len(puts)-len(results) {
			return nil, fmt.Errorf("%w: %d outcomes, and %d of %d before", ErrProtocol, n, len(results), len(puts))
		}
		held, errs := check.open(m.GetRecords())
		for _, o := range m.GetOutcomes() {
			put := puts[len(results)]
			outcome, err := check.outcome(put, o, held, errs)
			results = append(results, Result{outcome, err})
		}
	}
	if len(results) != len(puts) {
		return nil, fmt.Errorf("%w: %d outcomes for %d records", ErrProtocol, len(results), len(puts))
	}
	return results, nil
}

package exchange

import (
	"sync/atomic"

	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// Stats is what a server did for its peers, and what it had to refuse. The counts
// never fall.
type Stats struct {
	Puts, Fetches, Follows, Reconciles, Offers, Questions uint64 // requests that were read, Questions those for its status

	Stored  uint64 // entries of puts that are on disk
	Held    uint64 // entries that were there already, as they are or newer
	Below   uint64 // entries that belong further down
	Buckets uint64 // queries of fetches that were answered

	Refused [Codes]uint64 // entries, queries and whole requests that were not, by [Code]; those of no known code are Internal
	Turned  uint64        // streams that were not taken: too many, or of an offender

	Streams   int     // open now
	Followers int     // streams that hear what arrives
	Load      float64 // of 1: the share of the room for requests that is taken
}

// Codes is one more than the highest [Code].
const Codes = int(WrongOwner) + 1

// counts are those of Stats that grow.
type counts struct {
	puts, fetches, follows, reconciles, offers, questions atomic.Uint64
	stored, held, below, buckets, turned                  atomic.Uint64
	refused                                               [Codes]atomic.Uint64
}

// request counts what a peer asks for.
func (c *counts) request(m *pb.Request) {
	switch m.GetBody().(type) {
	case *pb.Request_Put:
		c.puts.Add(1)
	case *pb.Request_Fetch:
		c.fetches.Add(1)
	case *pb.Request_Follow:
		c.follows.Add(1)
	case *pb.Request_Reconcile:
		c.reconciles.Add(1)
	case *pb.Request_Offer:
		c.offers.Add(1)
	case *pb.Request_Status:
		c.questions.Add(1)
	}
}

// refuse counts a no.
func (c *counts) refuse(r *Refusal) {
	code := r.Code
	if int(code) >= Codes {
		code = Internal
	}
	c.refused[code].Add(1)
}

// entries counts what became of the entries of a put.
func (c *counts) entries(all []entry) {
	for _, e := range all {
		switch {
		case e.Err != nil:
			c.refuse(refuse(e.Err))
		case e.Outcome.Status == records.Stored:
			c.stored.Add(1)
		case e.Outcome.Status == records.Have:
			c.held.Add(1)
		case e.Outcome.Status == records.Below:
			c.below.Add(1)
		}
	}
}

// Stats tells how the server fares.
func (s *Server) Stats() Stats {
	c := &s.counts
	out := Stats{
		Puts: c.puts.Load(), Fetches: c.fetches.Load(), Follows: c.follows.Load(),
		Reconciles: c.reconciles.Load(), Offers: c.offers.Load(), Questions: c.questions.Load(),
		Stored: c.stored.Load(), Held: c.held.Load(), Below: c.below.Load(), Buckets: c.buckets.Load(),
		Turned: c.turned.Load(), Load: s.gate.load(),
	}
	for i := range c.refused {
		out.Refused[i] = c.refused[i].Load()
	}
	out.Streams, out.Followers = s.gate.visits()
	return out
}

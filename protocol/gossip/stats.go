package gossip

import (
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Stats is what a node did and what it had to leave undone. The counts never fall.
type Stats struct {
	Announced  uint64 // own posts, once for each shard
	Delivered  uint64 // posts of others that passed, once for each shard
	Duplicates uint64 // further copies of what was known
	Ignored    uint64 // out of time by little, or another signature of a known record
	Rejected   uint64 // what no honest peer passes on

	Unchecked uint64 // dropped because too many waited to be verified; taken if they come again
	Unsent    uint64 // copies dropped because too many waited for a peer; it gets them from others

	Relayed int // shards that this node relays
	Watched int // shards that it watches
	Waiting int // messages in the queues to all peers
	Full    int // queues without room for own posts
}

// counts are those of Stats that grow.
type counts struct {
	announced, delivered, duplicates, ignored, rejected, unchecked, unsent atomic.Uint64
}

// Stats tells how the node fares.
func (g *Gossip) Stats() Stats {
	s := Stats{
		Announced:  g.counts.announced.Load(),
		Delivered:  g.counts.delivered.Load(),
		Duplicates: g.counts.duplicates.Load(),
		Ignored:    g.counts.ignored.Load(),
		Rejected:   g.counts.rejected.Load(),
		Unchecked:  g.counts.unchecked.Load(),
		Unsent:     g.counts.unsent.Load(),
	}
	s.Waiting, s.Full = g.meter.backlogs()
	s.Relayed, s.Watched = g.shards.count()
	return s
}

// Standing is what a peer has earned with us: above 0 by bringing posts, below 0 by taking them without bringing any, or
// by what no honest peer does. A peer below 0 is in none of our meshes.
func (g *Gossip) Standing(p peer.ID) float64 { return g.ledger.score(p) }

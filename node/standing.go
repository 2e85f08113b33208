package node

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/protocol/exchange"
)

// What a peer does in one protocol counts in all of them: the DHT keeps its reputation,
// exchange reports to it, and gossip asks for it.

// distrustPenalty is what a banned peer's score in gossip loses: enough not to be heard.
// One at the edge of a ban loses a third of it and is in no mesh.
const distrustPenalty = 150

// standing is what gossip adds to a peer's score: nothing, or less, for lies alone.
func (n *Node) standing(p peer.ID) float64 {
	distrust := 1 - min(2*n.dht.Honesty(p), 1)
	return -distrustPenalty * distrust * distrust
}

// report tells the DHT what became of a question to p: records that passed the door or did
// not, or that there was no answer.
func (n *Node) report(ctx context.Context, p peer.ID, err error, useful bool) {
	switch {
	case errors.Is(err, exchange.ErrProtocol):
		n.dht.Report(p, dht.InvalidRecord)
	case err == nil && useful:
		n.dht.Report(p, dht.ValidRecord)
	case errors.Is(err, exchange.ErrUnavailable) && ctx.Err() == nil:
		n.dht.Report(p, dht.TimedOut)
	}
}

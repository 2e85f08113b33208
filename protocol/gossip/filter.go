package gossip

import (
	"fmt"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

// filter lets in only subscriptions to the network's own topics. Without it a peer that names a million topics fills our
// memory for good: pubsub remembers them before it looks at the peer's score.
type filter struct {
	shards map[string]byte // by topic
	ledger *ledger
}

var _ pubsub.SubscriptionFilter = (*filter)(nil)

// CanSubscribe tells whether a topic is one of ours.
func (f *filter) CanSubscribe(topic string) bool {
	_, ok := f.shards[topic]
	return ok
}

// FilterIncomingSubscriptions keeps those to our topics, at most one for each. What is far more than any hello is
// refused whole, and held against the peer.
func (f *filter) FilterIncomingSubscriptions(from peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	strange := 0
	for _, s := range subs {
		if !f.CanSubscribe(s.GetTopicid()) {
			strange++
		}
	}
	if len(subs) > maxSubscriptions || strange > maxStrangeTopics {
		f.ledger.offend(from)
		return nil, fmt.Errorf("%w: %d, %d of unknown topics", pubsub.ErrTooManySubscriptions, len(subs), strange)
	}
	return pubsub.FilterSubscriptions(subs, f.CanSubscribe), nil
}

// inspect sees every message before pubsub does, and takes out of it what pubsub would trust too far. It refuses none.
func (g *Gossip) inspect(from peer.ID, rpc *pubsub.RPC) error {
	if !g.meter.isOpen(from) {
		onlyHello(rpc)
	}
	tamePrunes(rpc.GetControl().GetPrune())
	return nil
}

// onlyHello leaves only the subscriptions of a peer to which we have no stream. An honest one has nothing else to say yet,
// for it waits to hear ours; and pubsub gives no score to a peer that refuses its stream, but lets it send forged posts and
// take a place in every mesh, which it keeps when it has gone.
func onlyHello(rpc *pubsub.RPC) { rpc.Publish, rpc.Control, rpc.Partial = nil, nil, nil }

// tamePrunes bounds how long a peer can have itself kept out of a mesh, which is remembered for as long as it says, and
// removes the peers it wants us to dial.
func tamePrunes(prunes []*pb.ControlPrune) {
	for _, p := range prunes {
		p.Peers = nil
		if limit := uint64(maxBackoff.Seconds()); p.GetBackoff() > limit {
			p.Backoff = proto.Uint64(limit)
		}
	}
}

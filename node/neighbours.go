package node

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
)

// protectTag marks members of our neighbourhood in the connection manager.
const protectTag = "starling-neighbourhood"

// followPrefix keeps what depends on our neighbourhood in step with it: which
// live topics we relay, and which connections are never trimmed.
func (n *Node) followPrefix(ctx context.Context) error {
	protected := map[peer.ID]bool{}
	for {
		if !n.config.Client {
			n.gossip.SetRelayed(func(shard byte) bool {
				return n.dht.Holds(protocol.ShardCoordinate(n.config.Network, shard))
			})
		}
		n.protect(protected)
		select {
		case <-n.dht.Changed():
		case <-ctx.Done():
			return nil
		}
	}
}

// protect brings the connection manager's protections up to our neighbours.
func (n *Node) protect(protected map[peer.ID]bool) {
	now := map[peer.ID]bool{}
	for _, p := range n.dht.Neighbours() {
		now[p] = true
		if !protected[p] {
			n.host.ConnManager().Protect(p, protectTag)
			protected[p] = true
		}
	}
	for p := range protected {
		if !now[p] {
			n.host.ConnManager().Unprotect(p, protectTag)
			delete(protected, p)
		}
	}
}

package node

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// protectTag marks members of our neighbourhood in the connection manager.
const protectTag = "starling-neighbourhood"

// While a network forms, a node's prefix changes several times a second. Joining
// and leaving live topics each time would cost every peer a message for each.
const (
	prefixCalm = time.Second      // without a change before it is acted on
	prefixWait = 15 * time.Second // but never later than this
)

// followPrefix keeps what depends on our neighbourhood in step with it: which
// live topics we relay, which connections are never trimmed, and that other members
// learn what we hold. With a new prefix the others' neighbourhoods are looked up, too.
func (n *Node) followPrefix(ctx context.Context) error {
	protected := map[peer.ID]bool{}
	select {
	case <-n.dht.Ready():
	case <-ctx.Done():
		return nil
	}
	for known := -1; ; {
		if !n.calm(ctx) {
			return nil
		}
		if bits := n.dht.Prefix(); bits != known {
			known = bits
			n.explore(ctx, bits)
		}
		if !n.config.Client {
			n.gossip.SetRelayed(func(shard byte) bool {
				return n.dht.Surrounds(n.gossip.Coordinate(shard)) // which takes no room
			})
		}
		n.protect(protected)
		n.healer.grown(n.dht.Prefix(), n.now())
		select {
		case n.moved <- struct{}{}:
		default: // nobody has taken note of the last move yet
		}
		select {
		case <-n.dht.Changed():
		case <-ctx.Done():
			return nil
		}
	}
}

// calm returns once our neighbourhood has not changed for a while; false when ctx
// has ended.
func (n *Node) calm(ctx context.Context) bool {
	latest := time.NewTimer(prefixWait)
	defer latest.Stop()
	for {
		quiet := time.NewTimer(prefixCalm)
		select {
		case <-n.dht.Changed():
			quiet.Stop()
		case <-quiet.C:
			return true
		case <-latest.C:
			quiet.Stop()
			return true
		case <-ctx.Done():
			quiet.Stop()
			return false
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

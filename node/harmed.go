package node

import (
	"context"

	"github.com/starling-social/starling/datastore"
)

// refetch has what the disk damaged fetched again, until ctx ends. It does not fetch
// itself: healing takes whatever neighbours have and we do not, and copies that count
// as whole no more are compared by whoever reads or keeps them.
func (n *Node) refetch(ctx context.Context) error {
	for {
		select {
		case h := <-n.store.Harmed():
			n.harmed(h)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (n *Node) harmed(h datastore.Harm) {
	n.metrics.harmed()
	if h.Everything {
		n.voices.store.Warn("the store was damaged: what it lacks is fetched from others")
		n.copies.spoilAll()
		n.healer.lost()
		return
	}
	for _, p := range h.Places {
		n.copies.spoil(p)
	}
	n.healer.soon()
}

// lost notes that anything may be missing, so that we answer for nothing before all has
// been compared again.
func (h *healer) lost() {
	h.mu.Lock()
	h.ledger.Lost()
	h.status.Filling, h.status.Harmed = true, true
	h.mu.Unlock()
	h.soon()
}

// soon has us compare with somebody before it is time.
func (h *healer) soon() {
	select {
	case h.doubt <- struct{}{}:
	default:
	}
}

// spoilAll is spoil of every copy.
func (c *copies) spoilAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.compared.Purge()
}

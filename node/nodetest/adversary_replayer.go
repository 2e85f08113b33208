package nodetest

import (
	"context"
	"sync"

	"github.com/starling-social/starling/records"
)

// Replay has x answer with the first version of everything that it heard of, whatever
// came later: edits and deletions did not happen. The Past that it returns can be
// pushed to others, too.
func (n *Network) Replay(ctx context.Context, x *Node) *Past {
	n.t.Helper()
	var mu sync.Mutex // protects first
	first := map[records.ItemKey]records.ID{}
	p := n.newPast(ctx, x, func(r *records.Record) bool {
		mu.Lock()
		defer mu.Unlock()
		if id, known := first[r.ItemKey()]; known {
			return id == r.ID()
		}
		first[r.ItemKey()] = r.ID()
		return true
	})
	x.Play(p.adversary())
	return p
}

package nodetest

import (
	"context"

	"github.com/starling-social/starling/records"
)

// Resurrect has x answer as if nothing that it holds now, or hears of, were ever
// deleted. The Past that it returns can be pushed to others, too.
func (n *Network) Resurrect(ctx context.Context, x *Node) *Past {
	n.t.Helper()
	p := n.newPast(ctx, x, func(r *records.Record) bool { return !r.Deleted() })
	x.Play(p.adversary())
	return p
}

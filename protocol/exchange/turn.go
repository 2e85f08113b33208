package exchange

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
)

// begin waits until p's last reconciliation is over and it has rested from that.
// End must follow unless it fails.
func (g *gate) begin(ctx context.Context, p peer.ID, v *visitor) error {
	if err := take(ctx, 1, v.turn); err != nil {
		return err
	}
	if err := g.rest(ctx, p); err != nil {
		giveBack(1, v.turn)
		return err
	}
	return nil
}

// rest waits until p has rested. It is kept by peer, not by connection, so that
// coming back is no way around it.
func (g *gate) rest(ctx context.Context, p peer.ID) error {
	until, _ := g.rests.Get(p)
	left := time.Until(until)
	if left <= 0 {
		return nil
	}
	rested := time.NewTimer(left)
	defer rested.Stop()
	select {
	case <-rested.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A cost is what one reconciliation took.
type cost struct {
	took time.Duration // of a core
	sent int           // bytes
}

// end lets p rest for what it cost.
func (g *gate) end(p peer.ID, v *visitor, c cost) {
	rest := max(protocol.ReconcileRest*c.took, time.Duration(c.sent)*time.Second/protocol.ReconcileRate)
	g.rests.Add(p, time.Now().Add(rest))
	giveBack(1, v.turn)
}

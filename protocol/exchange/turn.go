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
	a, _ := g.accounts.Get(p)
	left := time.Until(a.rests)
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

// An account is what a peer has had by reconciling.
type account struct {
	rests time.Time // until then
	had   int       // bytes, less those that time has made up for
	at    time.Time // of had
}

// charge adds a cost, and returns how many bytes of it go beyond the whole of what
// there is to be had, of which time makes up for all in protocol.ReconcileAnew.
func (a *account) charge(c cost, now time.Time, whole int) (beyond int) {
	madeUp := float64(whole) * float64(now.Sub(a.at)) / float64(protocol.ReconcileAnew)
	a.had = int(max(float64(a.had)-madeUp, 0)) + c.sent
	a.at = now
	a.rests = now.Add(max(protocol.ReconcileRest*c.took, at(c.sent, protocol.ReconcileRate)))
	return min(max(a.had-whole, 0), c.sent)
}

// at is how long so many bytes take at a rate.
func at(bytes, perSecond int) time.Duration {
	return time.Duration(float64(bytes) / float64(perSecond) * float64(time.Second))
}

// end lets p rest for what it cost. Who has had all that there is once, and asks for
// it again, shares the spare rate with others like him, however many they are.
func (g *gate) end(p peer.ID, v *visitor, c cost, whole, spare int) {
	now := time.Now()
	g.mu.Lock()
	a, _ := g.accounts.Get(p)
	if beyond := a.charge(c, now, whole); beyond > 0 {
		if g.spareFrom.Before(now) {
			g.spareFrom = now
		}
		g.spareFrom = g.spareFrom.Add(at(beyond, spare))
		if a.rests.Before(g.spareFrom) {
			a.rests = g.spareFrom
		}
	}
	g.accounts.Add(p, a)
	g.mu.Unlock()
	giveBack(1, v.turn)
}

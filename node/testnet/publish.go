package testnet

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// inFlight is how many posts are on their way at once, over all nodes. A node that
// takes long over one keeps its place: that is the back-pressure.
const inFlight = 64

// published is what came of publishing.
type published struct {
	mu    sync.Mutex // protects count
	count int        // posts that a majority acknowledged
	times times
}

// publish gives every post of the plan, in its order, to a node. The audience
// hears of each before it is sent.
func publish(ctx context.Context, c Config, net *cluster, p *plan, a *audience) (*published, error) {
	c.Progress.Phase("publish", len(p.lines))
	out := &published{}
	slots := make(chan struct{}, inFlight)
	g, gctx := errgroup.WithContext(ctx)
	for _, l := range p.lines {
		select {
		case slots <- struct{}{}: // first, so that a post is dated when it can leave
		case <-gctx.Done():
			return nil, errors.Join(g.Wait(), context.Cause(ctx))
		}
		began := time.Now()
		r, at, err := p.seal(gctx, l, began)
		if err != nil {
			return nil, errors.Join(err, g.Wait())
		}
		a.expect(at, began)
		g.Go(func() error {
			defer func() { <-slots }()
			err := out.send(gctx, net.nodes[at.publisher], r, began)
			if err != nil && gctx.Err() == nil {
				c.Log.Warn("publish", "line", l.ID, "node", at.publisher, "err", err)
			}
			c.Progress.Advance(1)
			return context.Cause(gctx)
		})
	}
	return out, g.Wait()
}

func (p *published) send(ctx context.Context, n *node.Node, r *records.Record, began time.Time) error {
	if _, err := n.PublishRecord(ctx, r, nil); err != nil {
		return err
	}
	p.times.add(time.Since(began))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	return nil
}

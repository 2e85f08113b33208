package gossip

import (
	"context"
	"errors"
	"fmt"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/starling-social/starling/records"
)

// Announce hands a post to the relays of the shard of each of its tags, and to this node's own watchers. It returns when
// the post waits in the queues to them; while those are full it waits, at most some seconds. What was announced or heard
// before, and what has no tags, is done already. An error of one shard does not keep the post from the others.
func (g *Gossip) Announce(ctx context.Context, r *records.Record) error {
	targets := shardsOf(r)
	if len(targets) == 0 {
		return nil
	}
	if err := g.running(ctx); err != nil {
		return fmt.Errorf("announce %s: %w", r.ID(), err)
	}
	if revised := r.Rev().Millis().Time(); timely(revised, g.cfg.Now()) != pubsub.ValidationAccept {
		return fmt.Errorf("announce %s: %w: revised %s", r.ID(), ErrStale, revised)
	}
	select {
	case g.announcing <- struct{}{}:
		defer func() { <-g.announcing }()
	case <-ctx.Done():
		return fmt.Errorf("announce %s: %w", r.ID(), ctx.Err())
	}
	var failed error
	for _, shard := range targets {
		if err := g.announce(ctx, shard, r); err != nil {
			failed = errors.Join(failed, fmt.Errorf("announce %s on shard %02x: %w", r.ID(), shard, err))
		}
	}
	return failed
}

func (g *Gossip) announce(ctx context.Context, shard byte, r *records.Record) error {
	c := claim{shard, r.ID()}
	if g.seen.enter(c, g.self, g.cfg.Now()) != fresh {
		return nil
	}
	if err := g.publish(ctx, shard, r); err != nil {
		g.seen.forget(c)
		return err
	}
	g.counts.announced.Add(1)
	return nil
}

func (g *Gossip) publish(ctx context.Context, shard byte, r *records.Record) error {
	topic, err := g.shards.topic(shard)
	if err != nil {
		return err
	}
	if err := g.reach(ctx, shard); err != nil {
		return err
	}
	if err := g.meter.admit(ctx, topic.ListPeers()); err != nil {
		return err
	}
	err = topic.Publish(ctx, r.Bytes(), pubsub.WithValidatorData(r))
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return ErrStopped // pubsub's own context
	}
	return err
}

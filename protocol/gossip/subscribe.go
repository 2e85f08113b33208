package gossip

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// Subscription hears the posts of some hashtags, each once. One goroutine at a time may take from it.
type Subscription struct {
	gossip *Gossip
	tags   []records.Tag
	shards []byte
	queue  *queue
	recent *recent // nil with one tag, whose posts come on one shard, each once
	cancel context.CancelFunc
	once   sync.Once // for end
	ended  chan struct{}
}

// Subscribe begins to hear the posts with any of the given tags, until ctx ends or Close is called. It returns when the
// node listens on their shards and is connected to a relay of each, or could not find one in some seconds; then it goes
// on trying. What arrives from then on waits to be taken, up to a limit.
func (g *Gossip) Subscribe(ctx context.Context, tags ...records.Tag) (*Subscription, error) {
	if err := g.running(ctx); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Subscription{gossip: g, tags: tags, queue: newQueue(watchQueue), cancel: cancel, ended: make(chan struct{})}
	if len(tags) > 1 {
		s.recent = newRecent()
	}
	// Relays first: pubsub joins the meshes of those it knows at once, and of others a heartbeat later.
	g.reachAll(ctx, tags)
	g.index.add(s)
	if err := cmp.Or(ctx.Err(), s.listen()); err != nil {
		s.Close()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	context.AfterFunc(ctx, s.end)
	g.links.poke()
	return s, nil
}

// listen subscribes to the shards of the tags.
func (s *Subscription) listen() error {
	for _, tag := range s.tags {
		shard := protocol.ShardOf(tag)
		if slices.Contains(s.shards, shard) {
			continue
		}
		if err := s.gossip.shards.watch(shard, s.gossip.index.offer); err != nil {
			return err
		}
		s.shards = append(s.shards, shard)
	}
	return nil
}

// Next waits for the next event. It fails when ctx or the subscription ends.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok := s.queue.take(); ok {
			return e, nil
		}
		select {
		case <-s.queue.ready:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		case <-s.ended:
			return Event{}, fmt.Errorf("subscription: %w", ErrStopped)
		case <-s.gossip.stopped:
			return Event{}, fmt.Errorf("subscription: %w", ErrStopped)
		}
	}
}

// Events are all that Next returns until the subscription ends.
func (s *Subscription) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			e, err := s.Next(context.Background()) // ends with the subscription
			if err != nil || !yield(e) {
				return
			}
		}
	}
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.cancel()
	s.end()
}

func (s *Subscription) end() {
	s.once.Do(func() {
		close(s.ended)
		s.gossip.index.remove(s)
		for _, shard := range s.shards {
			s.gossip.shards.unwatch(shard)
		}
		s.gossip.links.poke()
	})
}

// offer queues a record, unless it came before with another of the tags.
func (s *Subscription) offer(r *records.Record) {
	if s.recent == nil || s.recent.add(r.ID()) {
		s.queue.put(r)
	}
}

// reachAll looks for relays of the shards of several tags at once.
func (g *Gossip) reachAll(ctx context.Context, tags []records.Tag) {
	var group errgroup.Group
	group.SetLimit(dialsAtOnce)
	for _, tag := range tags {
		group.Go(func() error {
			if err := g.reach(ctx, protocol.ShardOf(tag)); err != nil {
				g.log.Debug("subscribe without a relay", "tag", tag, "error", err)
			}
			return nil
		})
	}
	_ = group.Wait() // never fails
}

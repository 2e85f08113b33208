package dht

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"
)

const (
	// maxGreetings bounds the newcomers that wait to be asked for a sign of life, and
	// greetWidth those who are asked at once. What is dropped is met again.
	maxGreetings = 256
	greetWidth   = 16
	// replacePace is how often a node of a full bucket is asked for a sign of life when
	// others wait for its place, and freshAge how long one that was heard of is not:
	// a flood of newcomers makes us ask one node a bucket in replacePace, no more.
	replacePace = time.Minute
	freshAge    = 5 * time.Minute
)

// greet takes note of a node that serves and is connected: if there is room for it in
// the table, an usher sees whether it answers, else it waits.
func (d *DHT) greet(w *wire, p peer.ID) {
	if !w.mayServe(p) || w.table.has(p) || w.table.wait(p) {
		return
	}
	select {
	case d.newcomers <- p:
	default:
	}
}

// greetConnected greets all who are connected: the table may have had no room for them
// when they were met, or we may have lost them since.
func (d *DHT) greetConnected(w *wire) {
	for _, p := range d.cfg.Host.Network().Peers() {
		known, err := d.cfg.Host.Peerstore().SupportsProtocols(p, d.protocol)
		if err == nil && len(known) > 0 {
			d.greet(w, p)
		}
	}
}

// usher lets newcomers into the table that answer, until ctx ends. The library would
// search through each of them instead, for answers of 20 KiB that nobody reads.
func (d *DHT) usher(ctx context.Context, w *wire) error {
	var g errgroup.Group
	g.SetLimit(greetWidth)
	defer func() { _ = g.Wait() }() // they have no errors
	for {
		select {
		case p := <-d.newcomers:
			g.Go(func() error {
				w.welcome(ctx, p)
				return nil
			})
		case <-ctx.Done():
			return nil
		}
	}
}

// welcome lets p into the table if it answers.
func (w *wire) welcome(ctx context.Context, p peer.ID) {
	if w.lives(ctx, p) {
		w.table.admit(p)
	}
}

// lives tells whether p gives a sign of life.
func (w *wire) lives(ctx context.Context, p peer.ID) bool { return w.ask(ctx, p, ping, "").err == nil }

// replace gives places in full buckets to those who wait for them, until ctx ends: at
// once when one was left, else when the node that was quiet for longest does not answer.
func (d *DHT) replace(ctx context.Context, w *wire) error {
	tick := time.NewTicker(replacePace)
	defer tick.Stop()
	for {
		probe := false
		select {
		case <-w.table.vacated:
		case <-tick.C:
			probe = true
		case <-ctx.Done():
			return nil
		}
		var g sync.WaitGroup
		for _, bucket := range w.table.waited() {
			g.Go(func() {
				if probe {
					w.table.probe(ctx, bucket, w.lives)
				}
				w.table.promote(ctx, bucket, w.lives)
			})
		}
		g.Wait()
	}
}

// probe asks the quietest node of a bucket for a sign of life, and takes it out of the
// table if it gives none.
func (t *table) probe(ctx context.Context, bucket int, lives func(context.Context, peer.ID) bool) {
	oldest, ok := t.quietest(bucket)
	if !ok || time.Since(oldest.LastSuccessfulOutboundQueryAt) < freshAge {
		return
	}
	switch {
	case lives(ctx, oldest.Id):
		t.admit(oldest.Id)
	case ctx.Err() == nil:
		t.remove(oldest.Id)
	}
}

// promote fills a bucket from those who wait for a place in it and live, the newest
// first.
func (t *table) promote(ctx context.Context, bucket int, lives func(context.Context, peer.ID) bool) {
	for ctx.Err() == nil {
		p, ok := t.next(bucket)
		if !ok {
			return
		}
		if lives(ctx, p) {
			t.admit(p)
		}
	}
}

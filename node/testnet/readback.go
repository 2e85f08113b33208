package testnet

import (
	"context"
	"errors"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

const (
	pageSize  = 50 // posts that a reader asks for at a time
	atOnce    = 16 // timelines being read
	tellAbout = 10 // missing pairs are named one by one
)

// readings are what was found of all pairs.
type readings struct {
	mu      sync.Mutex // protects found and missing
	found   int
	missing int
	times   times
}

// readBack reads every timeline of the plan whole, from a node chosen by its name,
// and looks for every post in it. What that very node had published is looked for
// from the next one.
func readBack(ctx context.Context, c Config, net *cluster, p *plan) (*readings, error) {
	bySource := map[string][]placed{}
	pairs := 0
	for _, at := range p.placed {
		for _, s := range at.sources {
			bySource[s] = append(bySource[s], at)
			pairs++
		}
	}
	c.Progress.Phase("read back", pairs)
	out := &readings{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, name := range slices.Sorted(maps.Keys(bySource)) {
		g.Go(func() error {
			source, err := node.ParseSource(name, records.User{})
			if err != nil {
				return err
			}
			reader := readerOf(name, len(net.nodes))
			own, others := split(bySource[name], reader)
			err = out.look(ctx, c, net.nodes[reader], source, others)
			if err == nil && len(own) > 0 {
				err = out.look(ctx, c, net.nodes[(reader+1)%len(net.nodes)], source, own)
			}
			return err
		})
	}
	return out, g.Wait()
}

// readerOf spreads timelines over nodes.
func readerOf(name string, nodes int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash never fails to take bytes
	return int(h.Sum32() % uint32(nodes))
}

// split tells what a node published from the rest.
func split(all []placed, publisher int) (own, others []placed) {
	for _, at := range all {
		if at.publisher == publisher {
			own = append(own, at)
		} else {
			others = append(others, at)
		}
	}
	return own, others
}

// look reads a whole timeline and counts which of the expected posts are in it.
func (b *readings) look(ctx context.Context, c Config, n *node.Node, source node.Source, expected []placed) error {
	if len(expected) == 0 {
		return nil
	}
	seen, err := b.whole(ctx, c, n, source)
	if err != nil {
		return err
	}
	found := 0
	for _, at := range expected {
		if seen[at.id] {
			found++
		}
	}
	c.Progress.Advance(len(expected))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.found += found
	missing := len(expected) - found
	if missing > 0 && b.missing < tellAbout {
		c.Log.Warn("posts missing from timeline", "source", source.String(), "missing", missing, "of", len(expected))
	}
	b.missing += missing
	return nil
}

// whole reads a timeline page by page, going on at the cursor of the last post.
func (b *readings) whole(ctx context.Context, c Config, n *node.Node, source node.Source) (map[records.ID]bool, error) {
	seen := map[records.ID]bool{}
	next := node.Range{Limit: pageSize}
	for {
		began, count := time.Now(), 0
		for r, err := range n.Timeline(ctx, source, next) {
			var gap *node.GapError
			switch {
			case errors.As(err, &gap):
				c.Log.Warn("timeline has a gap", "source", source.String(), "err", err)
			case err != nil:
				return nil, err
			default:
				seen[r.ID()] = true
				next.Before = records.Position{Created: r.Created(), Key: r.ItemKey()}
				count++
			}
		}
		b.times.add(time.Since(began))
		if count < pageSize {
			return seen, nil
		}
	}
}

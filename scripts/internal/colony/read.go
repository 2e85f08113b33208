package colony

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// readAtOnce is how many timelines all readers together have under way.
const readAtOnce = 16

// A Reading is what readers found of posts, each of which is in several timelines.
type Reading struct {
	Shown   map[records.ID]int // in how many timelines each post was read
	Listed  map[records.ID]int // in how many it should be
	Gaps    int                // timelines for parts of which nobody answered
	Silent  int                // timelines that were short of posts without saying so
	Twice   int                // posts read twice in one timeline
	Foreign int                // read, but none of those that should be there
}

// Anywhere is the share of posts that were read in at least one of their timelines.
func (r Reading) Anywhere() float64 { return r.share(func(shown, _ int) bool { return shown > 0 }) }

// Everywhere is the share of posts that were read in all of their timelines.
func (r Reading) Everywhere() float64 {
	return r.share(func(shown, listed int) bool { return shown == listed })
}

func (r Reading) share(counts func(shown, listed int) bool) float64 {
	n := 0
	for id, listed := range r.Listed {
		if counts(r.Shown[id], listed) {
			n++
		}
	}
	return float64(n) / float64(len(r.Listed))
}

// Read reads the timelines of all authors and hashtags of rs from end to end with
// [node.Node.Timeline], each on one of the readers. Of what was replaced among rs
// the last version should be read, of what was deleted none.
func (c *Colony) Read(ctx context.Context, readers []*nodetest.Node, rs []*records.Record) (Reading, error) {
	posts := standing(rs)
	out := Reading{Shown: map[records.ID]int{}, Listed: map[records.ID]int{}}
	sources := map[string]node.Source{}
	listed := map[string]map[records.ID]bool{}
	for _, r := range posts {
		for _, s := range sourcesOf(r) {
			if listed[s.String()] == nil {
				listed[s.String()], sources[s.String()] = map[records.ID]bool{}, s
			}
			listed[s.String()][r.ID()] = true
			out.Listed[r.ID()]++
		}
	}
	var mu sync.Mutex // protects out
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readAtOnce)
	next := 0
	for name, s := range sources {
		reader := readers[next%len(readers)]
		next++
		g.Go(func() error {
			shown, gap, err := timeline(ctx, reader, s)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case gap:
				out.Gaps++
			case len(shown) < len(listed[name]):
				out.Silent++
			}
			out.take(shown, listed[name])
			return err
		})
	}
	return out, g.Wait()
}

// take notes what one timeline showed.
func (r *Reading) take(shown []records.ID, listed map[records.ID]bool) {
	seen := map[records.ID]bool{}
	for _, id := range shown {
		switch {
		case seen[id]:
			r.Twice++
		case !listed[id]:
			r.Foreign++
		default:
			r.Shown[id]++
		}
		seen[id] = true
	}
}

// timeline reads one from end to end.
func timeline(ctx context.Context, x *nodetest.Node, s node.Source) (shown []records.ID, gap bool, err error) {
	for r, err := range x.Timeline(ctx, s, node.Range{Limit: node.MaxTimeline}) {
		var missing *node.GapError
		switch {
		case errors.As(err, &missing):
			gap = true
		case err != nil:
			return shown, gap, fmt.Errorf("read %s on node %d: %w", s, x.Index, err)
		case !r.Deleted():
			shown = append(shown, r.ID())
		}
	}
	return shown, gap, nil
}

// standing are the last versions of rs, without those that are deletions.
func standing(rs []*records.Record) (out []*records.Record) {
	winners := map[records.ItemKey]*records.Record{}
	for _, r := range rs {
		if w := winners[r.ItemKey()]; w == nil || r.Wins(w) {
			winners[r.ItemKey()] = r
		}
	}
	for _, r := range winners {
		if !r.Deleted() {
			out = append(out, r)
		}
	}
	return out
}

// sourcesOf are the timelines of a post: its author's and those of its hashtags.
func sourcesOf(r *records.Record) []node.Source {
	out := []node.Source{node.UserSource(r.Author())}
	head, _, _ := r.Post()
	for _, tag := range head.Tags {
		out = append(out, node.TagSource(tag))
	}
	return out
}

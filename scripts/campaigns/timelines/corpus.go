package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/node/testnet"
	"github.com/starling-social/starling/records"
)

// endToEnd plants a real stream of posts and reads every hashtag of it from end to
// end.
func (o *options) endToEnd(ctx context.Context, sc *scene) error {
	if o.corpus == "" {
		sc.Table("no corpus: nothing is read from end to end; see --corpus")
		if !sc.Quick {
			sc.AtLeast("corpus: hashtags read", 0, 1)
		}
		return nil
	}
	drafts, err := sc.corpus(o.corpus)
	if err != nil {
		return err
	}
	planted, err := sc.plant(ctx, drafts)
	if err != nil {
		return err
	}
	tags := slices.SortedFunc(maps.Values(planted), func(a, b timeline) int { return cmp.Compare(len(b.posts), len(a.posts)) })
	readers, err := sc.newcomers(ctx, readAtOnce)
	if err != nil {
		return err
	}
	defer sc.dismiss(readers)
	var mu sync.Mutex // protects total
	var total reading
	err = atOnce(len(tags), func(i int) error {
		got, err := readOn(ctx, readers[i%len(readers)], tags[i])
		mu.Lock()
		defer mu.Unlock()
		total = total.plus(got)
		return err
	})
	if err != nil {
		return err
	}
	sc.Table("corpus", "hashtags", "posts", "pages", "wrong", "busiest")
	sc.Row("", len(tags), total.posts, total.pages, total.wrong, len(tags[0].posts))
	sc.Figure("corpus: posts", total.posts)
	sc.Figure("corpus: pages", total.pages)
	sc.AtLeast("corpus: hashtags read", float64(len(tags)), 1)
	sc.AtMost("corpus: posts not read, read twice or out of order", float64(total.wrong), 0)
	return nil
}

// corpus is the posts of a stream that have hashtags.
func (sc *scene) corpus(path string) (out []draft, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	lines, err := testnet.ReadStream(f, sc.Size(0, 800))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	for _, l := range lines {
		d := draft{at: time.UnixMilli(l.Time), author: l.Author, text: l.Text}
		for _, s := range l.Tags {
			t, err := records.NormalizeTag(s)
			if err == nil && !slices.Contains(d.tags, t) {
				d.tags = append(d.tags, t)
			}
		}
		if slices.Sort(d.tags); len(d.tags) > 0 {
			out = append(out, d)
		}
	}
	return out, nil
}

// A reading is what came of reading timelines from end to end.
type reading struct{ posts, pages, wrong int }

func (r reading) plus(o reading) reading {
	return reading{r.posts + o.posts, r.pages + o.pages, r.wrong + o.wrong}
}

// readAll reads a timeline on a node that has just joined.
func (sc *scene) readAll(ctx context.Context, t timeline) (reading, error) {
	nodes, err := sc.newcomers(ctx, 1)
	if err != nil {
		return reading{}, err
	}
	defer sc.dismiss(nodes)
	return readOn(ctx, nodes[0], t)
}

// readOn reads a timeline from its newest post to its oldest, by cursor, and counts
// where it is not what was planted.
func readOn(ctx context.Context, x *nodetest.Node, t timeline) (got reading, err error) {
	var before records.Position
	for {
		page := 0
		for r, err := range x.Timeline(ctx, t.source, node.Range{Limit: want, Before: before}) {
			if err != nil {
				return got, fmt.Errorf("read %s: %w", t.source, err)
			}
			if got.posts >= len(t.posts) || r.ID() != t.posts[got.posts].ID() {
				got.wrong++
			}
			before = position(r)
			got.posts++
			page++
		}
		if got.pages++; page < want {
			got.wrong += max(len(t.posts)-got.posts, 0)
			return got, nil
		}
	}
}

// atOnce calls f with 0 to n-1, a few at a time.
func atOnce(n int, f func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(readAtOnce)
	for i := range n {
		g.Go(func() error { return f(i) })
	}
	return g.Wait()
}

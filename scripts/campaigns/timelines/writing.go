package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// The storm: 1,000 posts a minute in one hashtag.
const (
	storm     = records.Tag("storm")
	perWriter = 10 // posts of each of 100 writers, a minute
	fewPuts   = 3  // posts of one writer for one child that a member of the month may be offered: the others go further down at once
)

// A stream is what one writer offered to one member of a place, though it belongs
// to one of the place's children.
type stream struct {
	member int
	place  records.Place
	writer records.User
	child  records.Place
}

// A burden is what the members of a storm's places had to bear.
type burden struct {
	below map[stream]map[records.ID]bool
	all   map[int]map[int]int // by level and member: puts of everybody, holders who carry and offer included
}

func (b burden) note(member int, puts []records.Put, outcomes []records.Outcome) {
	root := records.TagPlace(storm)
	for i, p := range puts {
		if !root.Covers(p.Place) {
			continue
		}
		level := p.Place.Level()
		if b.all[level] == nil {
			b.all[level] = map[int]int{}
		}
		b.all[level][member]++
		if outcomes[i].Status != records.Below {
			continue
		}
		s := stream{member, p.Place, p.Record.Author(), p.Place.ChildFor(p.Record)}
		if b.below[s] == nil {
			b.below[s] = map[records.ID]bool{}
		}
		b.below[s][p.Record.ID()] = true
	}
}

// most is the longest of the streams at a level.
func (b burden) most(level int) (n int) {
	for s, offered := range b.below {
		if s.place.Level() == level {
			n = max(n, len(offered))
		}
	}
	return n
}

// writing has many people write in one hashtag at once, and looks at what the
// members of its month have to bear and whether everything can be read afterwards.
func writing(ctx context.Context, sc *scene) error {
	root := records.TagPlace(storm)
	borne := burden{map[stream]map[records.ID]bool{}, map[int]map[int]int{}}
	sc.watchPuts(borne.note)
	minutes, writers := sc.Size(5, 1), sc.Size(100, 12)
	published, failed, err := sc.storm(ctx, sc.net.Nodes[:writers], minutes*perWriter)
	if err != nil {
		return err
	}
	sc.net.Pass(2 * time.Minute) // for what is carried down
	sc.watchPuts(nil)

	sc.Table("storm: level", "belonging below, of one writer for one child, at most", "puts to one member, at most")
	for _, level := range slices.Sorted(maps.Keys(borne.all)) {
		sc.Row(level, borne.most(level), slices.Max(slices.Collect(maps.Values(borne.all[level]))))
	}
	read, err := sc.readAll(ctx, timeline{source: node.TagSource(storm), root: root, posts: newestFirst(published)})
	if err != nil {
		return err
	}
	sc.Figure("writing: posts", len(published))
	sc.Figure("writing: minutes", minutes)
	sc.AtMost("writing: posts that were not stored by a majority", float64(failed), 0)
	sc.AtMost("writing: posts of one writer offered to a member of the month that belong to one child", float64(borne.most(records.LevelMonth)), fewPuts)
	sc.AtMost("writing: posts not read, read twice or out of order", float64(read.wrong), 0)
	return nil
}

func (sc *scene) watchPuts(f func(member int, puts []records.Put, outcomes []records.Outcome)) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.puts = f
}

// storm has each writer publish so many posts, a few seconds apart.
func (sc *scene) storm(ctx context.Context, writers []*nodetest.Node, each int) (published []*records.Record, failed int, err error) {
	var mu sync.Mutex // protects the results
	var g errgroup.Group
	gap := time.Minute / perWriter
	for _, w := range writers {
		phase := time.Duration(sc.Rand.Int64N(int64(gap)))
		g.Go(func() error {
			begin := time.Now().Add(phase)
			for i := range each {
				sc.net.Pass(time.Until(begin.Add(time.Duration(i) * gap)))
				receipt, err := w.Publish(ctx, node.Draft{Text: fmt.Sprintf("post %d of %d", i, w.Index), Tags: []string{string(storm)}})
				mu.Lock()
				switch {
				case err == nil:
					published = append(published, receipt.Record)
				case errors.Is(err, node.ErrNoQuorum):
					failed++
				}
				mu.Unlock()
				if err != nil && !errors.Is(err, node.ErrNoQuorum) {
					return fmt.Errorf("publish on node %d: %w", w.Index, err)
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return published, failed, err
}

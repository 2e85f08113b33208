// Command partition breaks a network in two for an hour in which both sides go on, and sends a node away for a month.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/colony"
)

func main() { campaign.Main("partition", run) }

func run(ctx context.Context, c *campaign.Campaign) error {
	c.Table("network", "nodes", "neighbourhood", "posts", "edits", "deletions", "both ways", "equal after", "read twice", "brought back", "took")
	for _, part := range []func(context.Context, *campaign.Campaign, *campaign.Simulation) error{halves, month} {
		err := campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error { return part(ctx, c, s) })
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	healWithin = 10 * time.Minute // of the mending, until all members of all places hold the same
	readers    = 4
)

// halves parts a network in the middle and has both sides post, edit and delete, some of
// it the same posts.
func halves(ctx context.Context, c *campaign.Campaign, s *campaign.Simulation) error {
	net, err := colony.Found(c, s, colony.Config{Nodes: c.Size(60, 10), Neighbourhood: c.Size(8, 4)})
	if err != nil {
		return err
	}
	began := time.Now()
	w := &world{net: net}
	if err := w.plant(ctx, c.Size(400, 36)); err != nil {
		return err
	}
	nodes := len(net.Net.Nodes)
	left, right := side(nodes, 0), side(nodes, 1)
	net.Net.Links.Partition(left, right)
	parted := time.Duration(c.Size(60, 5)) * time.Minute
	doings := c.Size(120, 12)
	for range doings {
		net.Net.Pass(parted / time.Duration(doings))
		if err := w.goOn(ctx, left, right); err != nil {
			return err
		}
	}
	net.Net.Links.Heal()
	mended := time.Now()
	equal := -1
	for minute := range int(healWithin/time.Minute) + 1 {
		if len(net.Net.Audit(w.all)) == 0 {
			equal = minute
			break
		}
		net.Net.Pass(time.Minute)
	}
	differences := len(net.Net.Audit(w.all))
	read, err := net.Read(ctx, net.Net.Running()[:readers], w.all)
	if err != nil {
		return err
	}
	back, err := w.alive(ctx)
	if err != nil {
		return err
	}
	c.Row("two halves", nodes, net.Neighbours()[nodes/2], w.posts, w.edits, w.deletions, w.both, fmt.Sprintf("%d min", equal), read.Twice, back, mended.Sub(began))
	c.Figure("nodes", nodes)
	c.Figure("posts", w.posts)
	c.Figure("changed_on_both_sides", w.both)
	c.Figure("minutes_until_equal", equal)
	c.Figure("acknowledged_by_a_majority", w.acknowledged)
	c.AtLeast("changed on both sides", float64(w.both), 1)
	c.AtMost("places that differ 10 minutes after mending", float64(differences), 0)
	c.AtMost("posts read twice", float64(read.Twice), 0)
	c.AtMost("old versions and deleted posts read", float64(read.Foreign), 0)
	c.AtMost("deleted posts found as if they were not", float64(back), 0)
	c.AtLeast("posts readable in all their timelines", read.Everywhere(), 1)
	return nil
}

// side are every second of all nodes.
func side(nodes, first int) (out []int) {
	for i := first; i < nodes; i += 2 {
		out = append(out, i)
	}
	return out
}

// month has nodes away while posts that they hold are deleted and edited. All run for
// an hour after that, are off for 30 days, for which a simulation pays nothing, and for
// an hour more before those who were away come back.
func month(ctx context.Context, c *campaign.Campaign, s *campaign.Simulation) error {
	net, err := colony.Found(c, s, colony.Config{Nodes: c.Size(24, 7), Neighbourhood: c.Size(4, 3)})
	if err != nil {
		return err
	}
	began := time.Now()
	w := &world{net: net}
	if err := w.plant(ctx, c.Size(200, 24)); err != nil {
		return err
	}
	nodes := len(net.Net.Nodes)
	away := net.Some(nodes/5, nodes)
	for _, i := range away {
		net.Net.Stop(i)
	}
	while := time.Duration(c.Size(60, 3)) * time.Minute
	net.Net.Pass(5 * time.Minute)
	staying := []int{}
	for _, x := range net.Net.Running() {
		staying = append(staying, x.Index)
	}
	if err := w.change(ctx, staying); err != nil {
		return err
	}
	net.Net.Pass(while)
	for _, i := range staying {
		net.Net.Stop(i)
	}
	net.Net.Pass(30 * 24 * time.Hour)
	for _, i := range staying {
		net.Net.Restart(i)
	}
	net.Net.WaitReady()
	net.Net.Pass(while)
	for _, i := range away {
		net.Net.Restart(i)
	}
	net.Net.WaitReady()
	net.Net.Pass(time.Duration(c.Size(10, 7)) * time.Minute)
	differences := len(net.Net.Audit(w.all))
	read, err := net.Read(ctx, net.Net.Running()[:readers], w.all)
	if err != nil {
		return err
	}
	back, err := w.alive(ctx)
	if err != nil {
		return err
	}
	c.Row("a month away", nodes, net.Neighbours()[nodes/2], w.posts, w.edits, w.deletions, 0, "", read.Twice, back, time.Since(began))
	c.Figure("away", len(away))
	c.AtLeast("deleted while nodes were away", float64(w.deletions), 1)
	c.AtMost("brought back after 30 days", float64(back+read.Foreign), 0)
	c.AtMost("places that differ soon after the return", float64(differences), 0)
	return nil
}

// change deletes a quarter of the posts and edits another.
func (w *world) change(ctx context.Context, at []int) error {
	for i, r := range w.open {
		var err error
		switch i % 4 {
		case 0:
			err = w.remove(ctx, at[i%len(at)], r)
		case 1:
			err = w.edit(ctx, at[i%len(at)], r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A world is what happened on a network.
type world struct {
	net *colony.Colony
	all []*records.Record // every version of everything, in order

	authors []*colony.Author
	owner   map[records.ItemKey]*colony.Author
	open    []*records.Record // planted, and nothing happened to it yet

	posts, edits, deletions, both, acknowledged int
}

// plant puts posts of a few people there, as if they had been published long ago.
func (w *world) plant(ctx context.Context, posts int) error {
	w.owner = map[records.ItemKey]*colony.Author{}
	for i := range max(posts/25, 2) {
		w.authors = append(w.authors, w.net.Author(i))
	}
	start := time.Now().Add(-30 * 24 * time.Hour)
	for i := range posts {
		a := w.authors[i%len(w.authors)]
		r, err := a.Post(ctx, start.Add(time.Duration(i)*time.Minute), fmt.Sprintf("post %d", i), records.Tag(fmt.Sprintf("tag%d", i%9)))
		if err != nil {
			return err
		}
		w.owner[r.ItemKey()] = a
		w.all = append(w.all, r)
	}
	w.open = append(w.open, w.all...)
	w.posts = posts
	w.net.Net.Plant(ctx, w.all)
	return nil
}

// goOn has something happen on each side: a post on both, and in turn an edit on one,
// a deletion on the other, and both of one post.
func (w *world) goOn(ctx context.Context, left, right []int) error {
	sides := [][]int{left, right}
	for i, ids := range sides {
		a := w.authors[w.net.Random.IntN(len(w.authors))]
		r, err := a.Post(ctx, time.Now(), fmt.Sprintf("on side %d", i), records.Tag(fmt.Sprintf("tag%d", w.posts%9)))
		if err != nil {
			return err
		}
		w.owner[r.ItemKey()] = a
		if err := w.put(ctx, w.any(ids), r, nil); err != nil {
			return err
		}
		w.posts++
	}
	one := w.net.Random.IntN(2)
	switch w.posts / 2 % 3 {
	case 0:
		return w.edit(ctx, w.any(sides[one]), w.take())
	case 1:
		return w.remove(ctx, w.any(sides[one]), w.take())
	default:
		w.both++
		r := w.take()
		return errors.Join(w.edit(ctx, w.any(sides[one]), r), w.remove(ctx, w.any(sides[1-one]), r))
	}
}

func (w *world) any(ids []int) int { return ids[w.net.Random.IntN(len(ids))] }

// take is a planted post that nothing happened to yet.
func (w *world) take() *records.Record {
	i := w.net.Random.IntN(len(w.open))
	r := w.open[i]
	w.open = append(w.open[:i], w.open[i+1:]...)
	return r
}

func (w *world) edit(ctx context.Context, at int, r *records.Record) error {
	next, err := w.owner[r.ItemKey()].Edit(ctx, r, "edited")
	if err != nil {
		return err
	}
	w.edits++
	return w.put(ctx, at, next, r)
}

// remove deletes a post, a moment after any edit of the same version.
func (w *world) remove(ctx context.Context, at int, r *records.Record) error {
	a := w.owner[r.ItemKey()]
	edited, err := a.Edit(ctx, r, "not published")
	if err != nil {
		return err
	}
	next, err := a.Delete(ctx, edited)
	if err != nil {
		return err
	}
	w.deletions++
	return w.put(ctx, at, next, r)
}

// put publishes on a node. A side may be short of members, so that a majority is not
// had; whoever has it then hands it on.
func (w *world) put(ctx context.Context, at int, r, replaces *records.Record) error {
	_, err := w.net.Net.Nodes[at].PublishRecord(ctx, r, replaces)
	switch {
	case err == nil:
		w.acknowledged++
	case !errors.Is(err, node.ErrNoQuorum):
		return fmt.Errorf("publish on node %d: %w", at, err)
	}
	w.all = append(w.all, r)
	return nil
}

// alive is how many deleted posts some reader is shown as if they were not, when it
// asks for them by their ids.
func (w *world) alive(ctx context.Context) (n int, err error) {
	deleted := map[records.ItemKey]*records.Record{}
	for _, r := range w.all {
		if r.Deleted() {
			deleted[r.ItemKey()] = r
		}
	}
	for _, gone := range deleted {
		for _, x := range w.net.Net.Running()[:readers] {
			r, err := x.Post(ctx, gone.Ref())
			if err != nil {
				return n, fmt.Errorf("read a deleted post on node %d: %w", x.Index, err)
			}
			if !r.Deleted() {
				n++
				break
			}
		}
	}
	return n, nil
}

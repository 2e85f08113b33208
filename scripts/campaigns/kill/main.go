// Command kill takes most of a network away at once and reads what is left.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/colony"
)

func main() { campaign.Main("kill", run) }

// A loss is how many die, in percent, and the share of posts that has to be left to
// read.
type loss struct {
	percent int
	least   float64
}

var losses = []loss{{30, 1}, {50, 0.999}, {70, 0.99}, {90, 0.85}}

// readers is how many of the living read.
const readers = 4

// run kills each share of a network of its own. A post is readable when at least one
// of the timelines that it is in shows it, to a node that lived on and reads by
// [node.Node.Timeline], beginning at once. Healing by the clock is off; what the
// living move because their neighbourhoods grow while reading lasts is counted.
func run(ctx context.Context, c *campaign.Campaign) error {
	c.Table("killed at once", "of nodes", "neighbourhood", "median", "most", "posts", "readable", "in all timelines", "timelines with gaps", "a minute later", "took", "healed")
	for _, l := range losses {
		err := campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error { return kill(ctx, c, s, l) })
		if err != nil {
			return fmt.Errorf("%d %%: %w", l.percent, err)
		}
	}
	return nil
}

func kill(ctx context.Context, c *campaign.Campaign, s *campaign.Simulation, l loss) error {
	net, err := colony.Found(c, s, colony.Config{
		Nodes: c.Size(200, 40), Neighbourhood: c.Size(16, 6),
		Tune: func(n *node.Config) { n.HealInterval = 24 * time.Hour },
	})
	if err != nil {
		return err
	}
	posts, err := net.Library(ctx, c.Size(2_000, 200))
	if err != nil {
		return err
	}
	net.Net.Plant(ctx, posts)
	around, all := net.Neighbours(), len(net.Net.Nodes)
	taken, _ := net.Moved()
	net.Net.Kill(net.Some(all*l.percent/100, all)...)
	living := net.Net.Running()
	began := time.Now()
	first, err := net.Read(ctx, living[:min(readers, len(living))], posts)
	if err != nil {
		return err
	}
	took := time.Since(began)
	after, _ := net.Moved()
	net.Net.Pass(time.Minute)
	second, err := net.Read(ctx, living[:min(readers, len(living))], posts)
	if err != nil {
		return err
	}
	c.Row(fmt.Sprintf("%d %%", l.percent), all, around[0], around[len(around)/2], around[len(around)-1], len(posts),
		first.Anywhere(), first.Everywhere(), first.Gaps, second.Anywhere(), took, after-taken)
	name := func(what string) string { return fmt.Sprintf("%s_%d", what, l.percent) }
	c.Figure("nodes", all)
	c.Figure("posts", len(posts))
	c.Figure("neighbourhood_least", around[0])
	c.Figure("neighbourhood_median", around[len(around)/2])
	c.Figure(name("in_all_timelines"), first.Everywhere())
	c.Figure(name("short_without_a_gap"), first.Silent)
	c.Figure(name("a_minute_later"), second.Anywhere())
	c.AtLeast(name("readable"), first.Anywhere(), l.least)
	return nil
}

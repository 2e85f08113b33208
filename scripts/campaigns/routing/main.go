// Command routing measures lookups, and what they and routing tables withstand, beside kad-dht as it comes.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

func main() {
	only := ""
	campaign.Main("routing", func(ctx context.Context, c *campaign.Campaign) error { return run(ctx, c, only) },
		func(f *flag.FlagSet) {
			f.StringVar(&only, "only", "", "run one `part` alone: sizes, faults, operator, restart or flood")
		})
}

// parts are the scenes, in the order in which they are told.
var parts = []struct {
	name string
	run  func(context.Context, *campaign.Campaign) error
}{{"sizes", sizes}, {"faults", faults}, {"operator", operator}, {"restart", restart}, {"flood", flood}}

// Ours is package dht: a lookup is Members, of places in regions of their own, whole
// when every living member is found. Stock is kad-dht with its defaults: a lookup is
// GetClosestPeers, whole when the 20 living nodes that are nearest are found. Both run
// on the same links with keys of the same seed; K is 4 and buckets hold 20, but where
// said otherwise.
func run(ctx context.Context, c *campaign.Campaign, only string) error {
	ran := false
	for _, p := range parts {
		if only != "" && only != p.name {
			continue
		}
		ran = true
		if err := p.run(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		c.Say("%s is done", p.name)
	}
	if !ran {
		return fmt.Errorf("no part %q", only)
	}
	return nil
}

// both runs a scene for ours and for stock, in virtual time of its own each.
func both(ctx context.Context, c *campaign.Campaign, neighbourhood int, links func() nodetest.LinksConfig, scene func(context.Context, *net) error) error {
	for _, k := range []kind{ours, stock} {
		err := campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
			n, err := newNet(c, s, k, neighbourhood, links())
			if err != nil {
				return err
			}
			return scene(ctx, n)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
	}
	return nil
}

func even() nodetest.LinksConfig {
	return nodetest.LinksConfig{Link: func(int, int) nodetest.Link { return nodetest.Link{Latency: 20 * time.Millisecond} }}
}

// uneven links have round trips of 200 ms to every other node, and of 10 ms else.
func uneven() nodetest.LinksConfig {
	return nodetest.LinksConfig{Link: func(from, to int) nodetest.Link {
		if from%2 == 1 || to%2 == 1 {
			return nodetest.Link{Latency: 100 * time.Millisecond}
		}
		return nodetest.Link{Latency: 5 * time.Millisecond}
	}}
}

// gap is between two lookups: too short for upkeep to notice who is gone.
func gap(c *campaign.Campaign) time.Duration { return time.Duration(c.Size(5, 1)) * time.Second }

// A summary is what some lookups came to.
type summary struct {
	median, worst time.Duration
	found         float64 // mean
}

// looks joins an observer and lets it look for some keys, after before has happened.
// Lookups of a region that is known already take no time and are left out.
func (n *net) looks(ctx context.Context, count int, gap time.Duration, before func(keys []string, servers []*member)) (s summary, observer *member, err error) {
	servers := slices.Clone(n.members)
	observer, err = n.add(ctx, false, dht.IPGroups{}, n.members[0])
	if err != nil {
		return s, nil, err
	}
	pass(20 * time.Second)
	keys := make([]string, count)
	for i := range keys {
		keys[i] = string(binary.BigEndian.AppendUint64([]byte("somewhere"), uint64(i)))
	}
	if before != nil {
		before(keys, servers)
	}
	var took []time.Duration
	for _, key := range keys {
		seen, err := n.look(ctx, observer, key, servers)
		if err != nil {
			return s, nil, err
		}
		s.found += seen.found / float64(count)
		if seen.took > 0 { // else somebody of its region was asked a moment ago
			took = append(took, seen.took)
		}
		pass(gap)
	}
	if len(took) == 0 {
		return s, nil, errors.New("no lookup asked anybody: the network is too small to show anything")
	}
	slices.Sort(took)
	s.median, s.worst = took[len(took)/2], took[len(took)-1]
	return s, observer, nil
}

// sizes measures hops and time against the size of the network, and what an idle hour
// costs.
func sizes(ctx context.Context, c *campaign.Campaign) error {
	c.Table("nodes", "", "hops", "at most", "median", "worst", "found", "finds an idle node-hour", "pings")
	all := []int{50, 100, 200}
	if c.Quick {
		all = []int{32}
	}
	for _, nodes := range all {
		err := both(ctx, c, small, even, func(ctx context.Context, n *net) error {
			if err := n.grow(ctx, nodes); err != nil {
				return err
			}
			s, observer, err := n.looks(ctx, c.Size(40, 6), gap(c), nil)
			if err != nil {
				return err
			}
			if n.kind == stock {
				c.Row(nodes, string(n.kind), "-", "-", s.median, s.worst, s.found, "-", "-")
				return nil
			}
			view := observer.ours.Status()
			hops, bound := float64(view.Hops)/float64(view.Searches), 1+math.Log2(float64(nodes)/20)
			finds, pings := n.rest(time.Duration(c.Size(20, 10)) * time.Minute)
			c.Row(nodes, string(n.kind), hops, bound, s.median, s.worst, s.found, finds, pings)
			c.AtMost(fmt.Sprintf("hops_%d", nodes), hops, max(bound, 1.5))
			c.AtLeast(fmt.Sprintf("found_%d", nodes), s.found, 0.999)
			c.Figure(fmt.Sprintf("idle_finds_%d", nodes), finds)
			c.Figure(fmt.Sprintf("idle_pings_%d", nodes), pings)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rest is the questions for nodes, and for signs of life, that each server asks in an
// hour, measured over some time in which nothing happens.
func (n *net) rest(over time.Duration) (finds, pings float64) {
	asked := func() (finds, pings uint64) {
		for _, m := range n.members {
			s := m.ours.Status()
			finds, pings = finds+s.Finds, pings+s.Pings
		}
		return finds, pings
	}
	findsBefore, pingsBefore := asked()
	pass(over)
	findsAfter, pingsAfter := asked()
	hours := over.Hours() * float64(len(n.members))
	return float64(findsAfter-findsBefore) / hours, float64(pingsAfter-pingsBefore) / hours
}

// faults measures lookups where nodes hang, are gone or are far.
func faults(ctx context.Context, c *campaign.Campaign) error {
	c.Table("fault", "", "median", "worst", "found")
	nodes, count := c.Size(100, 32), c.Size(40, 8)
	well := map[kind]time.Duration{}
	for _, f := range []struct {
		name  string
		links func() nodetest.LinksConfig
		hurt  func(n *net, keys []string, servers []*member)
		most  float64 // seconds; a question alone may take three
	}{
		{"none", even, nil, 1},
		{"one_far_hangs", even, func(n *net, keys []string, servers []*member) {
			far := n.truth(keys[0], servers[1:])
			n.hurt(n.byID[far[len(far)-1]], true)
		}, 1},
		{"nearest_hangs", even, func(n *net, keys []string, servers []*member) {
			for _, key := range keys[:2] {
				n.hurt(n.byID[n.truth(key, servers[1:])[0]], true)
			}
		}, 1},
		{"three_of_ten_gone", even, func(n *net, _ []string, servers []*member) {
			for _, i := range c.Rand.Perm(len(servers) - 1)[:3*len(servers)/10] {
				n.hurt(servers[i+1], false)
			}
		}, 4}, // where most of a region are gone, all of them are waited for at once
		{"half_at_200_ms", uneven, nil, 1.6}, // twice four round trips: who is far and not connected is dialled first
	} {
		if c.Quick && (f.name == "one_far_hangs" || f.name == "half_at_200_ms") {
			continue
		}
		err := both(ctx, c, small, f.links, func(ctx context.Context, n *net) error {
			if err := n.grow(ctx, nodes); err != nil {
				return err
			}
			s, _, err := n.looks(ctx, count, gap(c), func(keys []string, servers []*member) {
				if f.hurt != nil {
					f.hurt(n, keys, servers)
				}
			})
			if err != nil {
				return err
			}
			c.Row(f.name, string(n.kind), s.median, s.worst, s.found)
			c.Figure(f.name+"_"+string(n.kind)+"_worst_ms", s.worst.Milliseconds())
			if f.name == "none" {
				well[n.kind] = max(well[n.kind], s.worst)
			}
			if n.kind == ours {
				c.AtLeast(f.name+"_found", s.found, 0.99)
				c.Figure(f.name+"_slower", float64(s.median)/float64(well[ours]))
				c.AtMost(f.name+"_seconds", s.worst.Seconds(), f.most)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fill starts nodes that all join through one.
func (n *net) fill(ctx context.Context, count int, limits dht.IPGroups, through *member) error {
	for range count {
		if _, err := n.add(ctx, true, limits, through); err != nil {
			return err
		}
	}
	pass(3 * time.Minute)
	return ctx.Err()
}

// flood lets many newcomers join at once, and looks what is left of those who were
// there.
func flood(ctx context.Context, c *campaign.Campaign) error {
	c.Table("newcomers", "", "old nodes", "newcomers", "old connected peers kept", "pending")
	old, young := c.Size(60, 16), c.Size(140, 16)
	return both(ctx, c, small, even, func(ctx context.Context, n *net) error {
		if err := n.grow(ctx, old); err != nil {
			return err
		}
		watched := n.members[1]
		before := watched.table()
		if err := n.fill(ctx, young, dht.IPGroups{}, n.members[0]); err != nil {
			return err
		}
		kept := 0
		after := watched.table()
		for _, p := range before {
			if slices.Contains(after, p) {
				kept++
			}
		}
		share := float64(kept) / float64(max(len(before), 1))
		pending := any("-")
		if n.kind == ours {
			pending = watched.ours.Status().Pending
			c.AtLeast("old_kept", share, 1)
		}
		c.Row("", string(n.kind), old, young, share, pending)
		return nil
	})
}

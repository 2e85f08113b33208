// Command liars lets a share of all nodes acknowledge and drop, deny, and lie about routes.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/colony"
	"github.com/starling-social/starling/scripts/internal/siege"
)

func main() {
	siege.Spacious()
	var asked siege.Size
	campaign.Main("liars", func(ctx context.Context, c *campaign.Campaign) error {
		return run(ctx, c, asked.Or(siege.Size{Nodes: c.Size(100, 30), Neighbourhood: c.Size(20, 6), Keys: c.Size(200, 20), Rounds: c.Size(5, 1)}))
	}, asked.Flags)
}

// A share is how many of all nodes lie, in percent, and how much of what is put has to
// be read.
type share struct {
	percent int
	least   float64
}

var shares = []share{{20, 0.995}, {40, 0.99}, {60, 0.90}}

// known is how many honest nodes a liar makes itself known to.
const known = 20

func (sh share) String() string { return fmt.Sprintf("%d%%", sh.percent) }

// run puts and reads keys with each share of liars, in our network and in one of stock
// kad-dht with the same ids, in several rounds with networks of their own. Liars stand
// at random. They acknowledge every put and keep nothing, say of everything that it is
// not there, name only each other, and tell false prefixes. Healing is off. A put said to
// be stored and then not found by each of its readers is false.
func run(ctx context.Context, c *campaign.Campaign, size siege.Size) error {
	c.Figure("nodes", size.Nodes)
	c.Figure("neighbourhood_at_least", size.Neighbourhood)
	c.Figure("keys", size.Keys*size.Rounds)
	c.Table("liars", "keys", "ours: read", "said stored", "falsely", "stock: read", "said stored", "falsely")
	var all siege.Count
	for _, sh := range shares {
		if !size.Wants(sh.String()) {
			continue
		}
		var ours, theirs siege.Count
		for i := range size.Rounds {
			o, t, err := round(ctx, c, size, sh.percent)
			if err != nil {
				return fmt.Errorf("%s: %w", sh, err)
			}
			ours.Add(o)
			theirs.Add(t)
			c.Seed++
			c.Say("%s liars: round %d of %d: ours %d of %d read, stock %d of %d", sh, i+1, size.Rounds, o.Found, o.Reads, t.Found, t.Reads)
		}
		all.Add(ours)
		c.Row(sh, ours.Puts, ours.Read(), ours.Stored, ours.False, theirs.Read(), theirs.Stored, theirs.False)
		c.Figure(fmt.Sprintf("stock_read_%d", sh.percent), theirs.Read())
		c.Figure(fmt.Sprintf("stock_false_%d", sh.percent), theirs.Lied())
		c.Figure(fmt.Sprintf("stored_%d", sh.percent), ours.Kept())
		c.AtLeast(fmt.Sprintf("read_%d", sh.percent), ours.Read(), sh.least)
	}
	if all.Puts == 0 {
		return fmt.Errorf("no part %q: there are %v", size.Only, shares)
	}
	c.AtMost("false", all.Lied(), 0.001)
	c.AtLeast("stored", all.Kept(), 0.5) // else the bar above would hold of nothing
	return nil
}

// round is one pair of networks.
func round(ctx context.Context, c *campaign.Campaign, size siege.Size, percent int) (ours, theirs siege.Count, err error) {
	liars := size.Nodes * percent / 100
	var (
		keys    []siege.Key
		network records.Network
	)
	err = campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		o, err := siege.NewOurs(c, s, size.Nodes-liars, size.Neighbourhood)
		if err != nil {
			return err
		}
		network = o.Network
		if keys, err = siege.Keys(ctx, o.Colony, size.Keys); err != nil {
			return err
		}
		ours, err = measure(ctx, c, size, o, network, keys, liars, func() error { return o.Open(ctx, keys) })
		return err
	})
	if err != nil {
		return ours, theirs, err
	}
	err = campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		t, err := siege.NewTheirs(ctx, c, s, network, size.Nodes-liars, size.Neighbourhood)
		if err != nil {
			return err
		}
		theirs, err = measure(ctx, c, size, t, network, keys, liars, func() error { t.Refresh(); return nil })
		return err
	})
	return ours, theirs, err
}

// measure lets the liars in and tries every key.
func measure(ctx context.Context, c *campaign.Campaign, size siege.Size, f siege.Field, network records.Network, keys []siege.Key, liars int, begin func() error) (sum siege.Count, err error) {
	ids := make([]crypto.PrivKey, liars)
	for i := range ids {
		if ids[i], err = colony.NodeKey(c, size.Nodes+i); err != nil {
			return sum, fmt.Errorf("make a liar's key: %w", err)
		}
	}
	troupe := nodetest.NewTroupe(f.Links(), network, nodetest.TroupeConfig{Astray: true})
	defer func() {
		if left := troupe.Leave(); err == nil {
			err = left
		}
	}()
	infos := f.Infos()
	c.Rand.Shuffle(len(infos), func(i, j int) { infos[i], infos[j] = infos[j], infos[i] })
	if err := troupe.Enter(ctx, siege.FirstPuppet, ids, infos[:min(known, len(infos))]); err != nil {
		return sum, err
	}
	siege.Pass(time.Minute)
	if err := begin(); err != nil {
		return sum, err
	}
	for _, key := range keys {
		one, err := f.Try(ctx, key)
		if err != nil {
			return sum, err
		}
		sum.Add(one)
		if ctx.Err() != nil {
			return sum, context.Cause(ctx)
		}
	}
	return sum, nil
}

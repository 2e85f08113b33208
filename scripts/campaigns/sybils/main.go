// Command sybils makes ids for each key, nearer to it than any honest node, and puts and reads it.
package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/siege"
)

func main() {
	siege.Spacious()
	var asked siege.Size
	campaign.Main("sybils", func(ctx context.Context, c *campaign.Campaign) error {
		return run(ctx, c, asked.Or(siege.Size{Nodes: c.Size(100, 30), Neighbourhood: c.Size(20, 6), Keys: c.Size(40, 4), Rounds: 1}))
	}, asked.Flags)
}

// An attack is how many ids are made for a key, in neighbourhoods, and what they do.
type attack struct {
	times  int
	astray bool // lie about routes and prefixes, and show a flood of other records
}

var attacks = []attack{{1, false}, {2, false}, {1, true}, {2, true}}

func (a attack) String() string {
	if a.astray {
		return fmt.Sprintf("%dK active", a.times)
	}
	return fmt.Sprintf("%dK passive", a.times)
}

const (
	known = 30               // honest nodes that an attacker makes itself known to, those nearest to the key among them
	enter = 30 * time.Second // that it has before somebody puts
	leave = 90 * time.Second // until it is forgotten
)

// run makes attackers for one key after the other, in our network and in one of stock
// kad-dht with the same ids. All of them acknowledge every put and keep nothing and
// say that nothing is there; the active ones name only each other or nobody or nodes
// that do not exist, tell false prefixes, and show other records of the same place.
// Nothing that our nodes do depends on whether they notice. Healing is off.
func run(ctx context.Context, c *campaign.Campaign, size siege.Size) error {
	c.Figure("nodes", size.Nodes)
	c.Figure("neighbourhood_at_least", size.Neighbourhood)
	c.Figure("keys_of_each", size.Keys*size.Rounds)
	c.Table("ids made for a key", "keys", "ours: read", "said stored", "falsely", "alarms", "most members", "stock: read", "said stored", "falsely")
	var all siege.Count
	for _, a := range attacks {
		if !size.Wants(a.String()) || c.Quick && size.Only == "" && (a.times == 1 || !a.astray) {
			continue
		}
		var ours, theirs siege.Count
		most, alarms := 0, 0
		for range size.Rounds {
			r, err := pair(ctx, c, size, a)
			if err != nil {
				return fmt.Errorf("%s: %w", a, err)
			}
			ours.Add(r.ours)
			theirs.Add(r.theirs)
			most, alarms = max(most, r.most), alarms+r.alarms
			c.Seed++
		}
		all.Add(ours)
		c.Row(a, ours.Puts, ours.Read(), ours.Stored, ours.False, alarms, most, theirs.Read(), theirs.Stored, theirs.False)
		c.Figure(fmt.Sprintf("stock: read, %s", a), theirs.Read())
		c.Figure(fmt.Sprintf("stock: false, %s", a), theirs.Lied())
		c.AtLeast(fmt.Sprintf("read, %s", a), ours.Read(), 0.99)
		c.AtMost(fmt.Sprintf("members, %s", a), float64(most), float64(4*size.Neighbourhood))
	}
	if all.Puts == 0 {
		return fmt.Errorf("no part %q: there are %v", size.Only, attacks)
	}
	c.AtMost("false", all.Lied(), 0.001)
	c.AtLeast("said stored", all.Kept(), 0.99)
	return nil
}

// outcome is what an attack came to in both networks.
type outcome struct {
	ours, theirs siege.Count
	most, alarms int // of ours
}

func pair(ctx context.Context, c *campaign.Campaign, size siege.Size, a attack) (out outcome, err error) {
	var (
		keys    []siege.Key
		network records.Network
	)
	err = campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		o, err := siege.NewOurs(c, s, size.Nodes, size.Neighbourhood)
		if err != nil {
			return err
		}
		network = o.Network
		if keys, err = siege.Keys(ctx, o.Colony, size.Keys); err != nil {
			return err
		}
		if err := o.Open(ctx, keys); err != nil {
			return err
		}
		out.ours, err = besiege(ctx, c, o, network, keys, a, size.Neighbourhood)
		out.most, out.alarms = o.Most, o.Alarms()
		return err
	})
	if err != nil {
		return out, err
	}
	err = campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		t, err := siege.NewTheirs(ctx, c, s, network, size.Nodes, size.Neighbourhood)
		if err != nil {
			return err
		}
		out.theirs, err = besiege(ctx, c, t, network, keys, a, size.Neighbourhood)
		return err
	})
	return out, err
}

// besiege attacks one key after the other.
func besiege(ctx context.Context, c *campaign.Campaign, f siege.Field, network records.Network, keys []siege.Key, a attack, k int) (sum siege.Count, err error) {
	for _, key := range keys {
		one, err := crowd(ctx, c, f, network, key, a, k)
		if err != nil {
			return sum, fmt.Errorf("key %d: %w", key.Number, err)
		}
		sum.Add(one)
		if tried := key.Number + 1; tried%10 == 0 || tried == len(keys) {
			c.Say("%s: %d of %d keys: %d of %d read", a, tried, len(keys), sum.Found, sum.Reads)
		}
		siege.Pass(leave)
		if ctx.Err() != nil {
			return sum, context.Cause(ctx)
		}
	}
	return sum, nil
}

// crowd attacks one key.
func crowd(ctx context.Context, c *campaign.Campaign, f siege.Field, network records.Network, key siege.Key, a attack, k int) (count siege.Count, err error) {
	at, honest := key.Place().Coordinate(), f.Infos()
	ids, err := nodetest.GrindKeys(at, honest, a.times*k)
	if err != nil {
		return count, err
	}
	config := nodetest.TroupeConfig{Astray: a.astray, Others: f.Infos, Prefix: 2}
	if a.astray {
		if config.Flood, err = siege.Flood(ctx, c, network, key); err != nil {
			return count, err
		}
	}
	troupe := nodetest.NewTroupe(f.Links(), network, config)
	defer func() {
		if left := troupe.Leave(); err == nil {
			err = left
		}
	}()
	near := siege.Nearest(honest, at)
	rest := near[min(known/2, len(near)):]
	rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	if err := troupe.Enter(ctx, siege.FirstPuppet+1000*key.Number, ids, near[:min(known, len(near))]); err != nil {
		return count, err
	}
	siege.Pass(enter)
	return f.Try(ctx, key)
}

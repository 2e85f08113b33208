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

func main() { campaign.Main("sybils", run) }

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
func run(ctx context.Context, c *campaign.Campaign) error {
	nodes, k, n := c.Size(100, 30), c.Size(20, 6), c.Size(40, 4)
	c.Figure("nodes", nodes)
	c.Figure("neighbourhood_at_least", k)
	c.Figure("keys_of_each", n)
	c.Table("ids made for a key", "keys", "ours: read", "said stored", "falsely", "alarms", "most members", "stock: read", "said stored", "falsely")
	var all siege.Count
	for _, a := range attacks {
		if c.Quick && (a.times == 1 || !a.astray) {
			continue
		}
		ours, theirs, most, alarms, err := pair(ctx, c, nodes, k, n, a)
		if err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
		all.Add(ours)
		c.Row(a, ours.Puts, ours.Read(), ours.Stored, ours.False, alarms, most, theirs.Read(), theirs.Stored, theirs.False)
		c.Figure(fmt.Sprintf("stock: read, %s", a), theirs.Read())
		c.Figure(fmt.Sprintf("stock: false, %s", a), theirs.Lied())
		c.AtLeast(fmt.Sprintf("read, %s", a), ours.Read(), 0.99)
		c.AtMost(fmt.Sprintf("members, %s", a), float64(most), float64(4*k))
	}
	c.AtMost("false", all.Lied(), 0.001)
	c.AtLeast("said stored", float64(all.Stored)/float64(all.Puts), 0.99)
	return nil
}

func pair(ctx context.Context, c *campaign.Campaign, nodes, k, n int, a attack) (ours, theirs siege.Count, most, alarms int, err error) {
	var (
		keys    []siege.Key
		network records.Network
	)
	err = campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		o, err := siege.NewOurs(c, s, nodes, k)
		if err != nil {
			return err
		}
		network = o.Network
		if keys, err = siege.Keys(ctx, o.Colony, n); err != nil {
			return err
		}
		if err := o.Open(ctx, keys); err != nil {
			return err
		}
		ours, err = besiege(ctx, c, o, o.Network, keys, a, k)
		most, alarms = o.Most, o.Alarms()
		return err
	})
	if err != nil {
		return ours, theirs, most, alarms, err
	}
	err = campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		t, err := siege.NewTheirs(ctx, c, s, network, nodes, k)
		if err != nil {
			return err
		}
		theirs, err = besiege(ctx, c, t, network, keys, a, k)
		return err
	})
	return ours, theirs, most, alarms, err
}

// besiege attacks one key after the other.
func besiege(ctx context.Context, c *campaign.Campaign, f siege.Field, network records.Network, keys []siege.Key, a attack, k int) (sum siege.Count, err error) {
	for _, key := range keys {
		one, err := crowd(ctx, c, f, network, key, a, k)
		if err != nil {
			return sum, fmt.Errorf("key %d: %w", key.Number, err)
		}
		sum.Add(one)
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

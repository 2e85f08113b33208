// Command registers writes and reads registers, ours beside stock kad-dht's values, and from JavaScript.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

func main() {
	only := ""
	campaign.Main("registers", func(ctx context.Context, c *campaign.Campaign) error {
		return parts(ctx, c, only)
	}, func(f *flag.FlagSet) { f.StringVar(&only, "only", "", "run one part: simulated or js") })
}

// parts runs what was asked for: all, unless it is one part. JavaScript is left out of
// all where it cannot run, and says so.
func parts(ctx context.Context, c *campaign.Campaign, only string) error {
	switch only {
	case "simulated":
		return run(ctx, c)
	case "js":
		return javascript(ctx, c)
	case "":
	default:
		return fmt.Errorf("no part %q: simulated or js", only)
	}
	if err := run(ctx, c); err != nil {
		return err
	}
	if missing := missingTools(); missing != "" {
		c.Table("js-libp2p", "")
		c.Row("left out", "no "+missing+" on this machine")
		c.Figure("js", "left out: no "+missing)
		return nil
	}
	return javascript(ctx, c)
}

// roundTrip is that of every link.
const roundTrip = 40 * time.Millisecond

// age is how long stock kad-dht shows a value here; it is 48 hours otherwise.
const age = 2 * time.Minute

// A side is one of the two that are compared.
type side interface {
	put(ctx context.Context, from int, r *records.Record) error
	get(ctx context.Context, from int, id records.RegisterID) (*records.Record, error)
	// discard has all nodes acknowledge what others put, and drop it.
	discard()
}

// run compares both sides in one stretch of virtual time: round trips of writing and
// reading, puts that succeed and cannot be read, values that return once newer ones
// have expired, and values that a stranger keeps alive. Nicknames are ours alone.
func run(ctx context.Context, c *campaign.Campaign) error {
	return campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		network, err := records.TestNetwork("registers")
		if err != nil {
			return err
		}
		size := c.Size(40, 12)
		net := nodetest.New(s, nodetest.Config{Nodes: size, Network: network, Links: nodetest.LinksConfig{Seed: c.Seed}})
		net.Settle()
		stock, err := foundStock(ctx, s, c, network, size)
		if err != nil {
			return err
		}
		c.Figure("nodes", size)
		c.Table("", "put", "get cold", "get warm", "false success", "rolled back", "kept by a stranger")
		for name, x := range map[string]side{"ours": ours{net}, "stock": stock} {
			f, err := measure(ctx, net, x, network)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			f.tell(c, name)
		}
		return claims(ctx, c, net)
	})
}

// findings are what was measured of a side.
type findings struct {
	put, cold, warm time.Duration // medians
	falsely         bool
	rolledBack      bool
	kept            bool
}

func (f findings) tell(c *campaign.Campaign, name string) {
	trips := func(d time.Duration) float64 { return float64(d) / float64(roundTrip) }
	c.Row(name, trips(f.put), trips(f.cold), trips(f.warm), f.falsely, f.rolledBack, f.kept)
	c.Figure(name+"_put_round_trips", trips(f.put))
	c.Figure(name+"_get_cold_round_trips", trips(f.cold))
	c.Figure(name+"_get_warm_round_trips", trips(f.warm))
	for what, is := range map[string]bool{"false_put_success": f.falsely, "rollback_after_expiry": f.rolledBack, "kept_by_a_stranger": f.kept} {
		if name == "ours" {
			c.AtMost("ours_"+what, count(is), 0)
		} else {
			c.Figure(name+"_"+what, is)
		}
	}
}

func count(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// samples is how many registers are written and read to time it.
const samples = 8

func measure(ctx context.Context, net *nodetest.Network, x side, network records.Network) (f findings, err error) {
	var puts, colds, warms []time.Duration
	now := time.Now()
	for i := range samples {
		r, id, err := version(ctx, network, byte(i+1), now, "x", time.Time{})
		if err != nil {
			return f, err
		}
		took, err := timed(func() error { return x.put(ctx, 1, r) })
		if err != nil {
			return f, err
		}
		puts = append(puts, took)
		for _, times := range []*[]time.Duration{&colds, &warms} {
			took, err := timed(func() error { _, err := x.get(ctx, 3+i, id); return err })
			if err != nil {
				return f, err
			}
			*times = append(*times, took)
		}
	}
	f.put, f.cold, f.warm = median(puts), median(colds), median(warms)
	if f.rolledBack, err = rolledBack(ctx, net, x, network); err != nil {
		return f, err
	}
	if f.kept, err = kept(ctx, net, x, network); err != nil {
		return f, err
	}
	x.discard()
	net.Pass(2 * time.Minute) // streams that were open before are closed by then
	r, id, err := version(ctx, network, 30, time.Now(), "dropped", time.Time{})
	if err != nil {
		return f, err
	}
	told := x.put(ctx, 2, r)
	got, err := x.get(ctx, 5, id)
	f.falsely = told == nil && (err != nil || got == nil)
	return f, nil
}

// rolledBack tells whether an older version is read once a newer one has expired.
func rolledBack(ctx context.Context, net *nodetest.Network, x side, network records.Network) (bool, error) {
	now := time.Now()
	older, id, err := version(ctx, network, 20, now.Add(-time.Minute), "older", time.Time{})
	if err != nil {
		return false, err
	}
	newer, _, err := version(ctx, network, 20, now, "newer", now.Add(age))
	if err != nil {
		return false, err
	}
	if err := x.put(ctx, 1, newer); err != nil {
		return false, err
	}
	net.Pass(2 * age)
	_, _ = x.get(ctx, 4, id)
	_ = x.put(ctx, 6, older) // refused, or what is looked for
	got, err := x.get(ctx, 7, id)
	return err == nil && got != nil && got.ID() == older.ID(), nil
}

// kept tells whether a stranger who puts a value again and again keeps it shown past
// its time.
func kept(ctx context.Context, net *nodetest.Network, x side, network records.Network) (bool, error) {
	r, id, err := version(ctx, network, 21, time.Now(), "short", time.Now().Add(age))
	if err != nil {
		return false, err
	}
	if err := x.put(ctx, 1, r); err != nil {
		return false, err
	}
	for range 4 {
		net.Pass(age * 3 / 4)
		_ = x.put(ctx, 8, r) // refused, or what is looked for
	}
	got, err := x.get(ctx, 9, id)
	return err == nil && got != nil, nil
}

func version(ctx context.Context, network records.Network, who byte, at time.Time, value string, expires time.Time) (*records.Record, records.RegisterID, error) {
	key := records.KeyFromSeed([32]byte{who, 1})
	id := records.RegisterID{User: key.User(), Name: records.Profile}
	var until records.Millis
	if !expires.IsZero() {
		until = records.MillisOf(expires)
	}
	d, err := records.NewRegister(nil, records.MillisOf(at), id.Name, records.RegisterBody{Value: []byte(value)}, until)
	if err != nil {
		return nil, id, err
	}
	r, err := records.Seal(ctx, network, records.AuthorSigner(key), d)
	return r, id, err
}

func timed(do func() error) (time.Duration, error) {
	began := time.Now()
	err := do()
	return time.Since(began), err
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// ours is a network of whole nodes.
type ours struct{ net *nodetest.Network }

func (o ours) put(ctx context.Context, from int, r *records.Record) error {
	_, err := o.net.Nodes[from].StoreRegister(ctx, r)
	return err
}

func (o ours) get(ctx context.Context, from int, id records.RegisterID) (*records.Record, error) {
	x := o.net.Nodes[from]
	r, err := x.ReadRegister(ctx, id, true)
	if err == nil {
		err = x.Standing(r)
	}
	return r, err
}

func (o ours) discard() {
	for _, x := range o.net.Nodes {
		x.Lie(nodetest.Swallow())
	}
}

// claims has three people claim one nickname and looks for all of them.
func claims(ctx context.Context, c *campaign.Campaign, net *nodetest.Network) error {
	for _, x := range net.Nodes {
		x.Lie(nodetest.Lies())
	}
	for _, x := range net.Nodes[:3] {
		if _, err := x.Claim(ctx, "ada"); err != nil {
			return err
		}
	}
	found, err := net.Nodes[5].FindName(ctx, "ada")
	if err != nil && !errors.Is(err, node.ErrManyClaims) {
		return err
	}
	c.AtLeast("claimants_found", float64(len(found)), 3)
	return nil
}

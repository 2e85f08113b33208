// Command thousand has a thousand whole nodes join, publish, watch, read, lose a third of themselves and heal.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/colony"
)

func main() {
	o := &options{}
	campaign.Main("thousand", o.run, func(f *flag.FlagSet) {
		f.StringVar(&o.corpus, "corpus", os.Getenv("CORPUS"), "a `file` of posts, one JSON object a line, perhaps gzipped, to publish; without one they are made up")
		f.StringVar(&o.heap, "heap", "", "a `directory` for a profile of memory and of goroutines with each row")
		f.IntVar(&o.posts, "posts", 0, "how `many` posts, instead of 500, or 100 with --quick")
		f.IntVar(&o.nodes, "nodes", 0, "how `many` nodes, instead of 1,000, or 40 with --quick")
	})
}

type options struct {
	corpus string
	heap   string
	nodes  int
	posts  int
}

const (
	// memory is how much may be taken before the collector works harder, unless GOMEMLIMIT
	// says otherwise.
	memory = 12 << 30
	// Nodes that start together connect to everybody, and half a million connections
	// fit no machine: they come in waves, and trim what they do not need.
	wave              = 80
	waveRest          = 25 * time.Second
	connsLow, connsHi = 48, 64
	// The first nodes have known a small network, and what they take its size for grows
	// by a factor of two an hour. Nothing here waits for that: they hold more than their
	// share for as long.
	settling = 30 * time.Second
	interval = 3 * time.Minute
	readers  = 8
	// Each post that is under way is a hundred connections to members of its places, most
	// of them new, and all are kept for a while. But the fewer at once, the longer it takes
	// in virtual time, of which each second costs upkeep.
	atOnce = 16
	// What is announced is heard within hearTime. A watcher that lost its relays asks the
	// buckets, and has heard everything by the end of checkTime.
	hearTime, checkTime = 10 * time.Second, 70 * time.Second
	// healing has so long, and is looked at so often.
	healTime, healLook = 2*interval + time.Minute, 30 * time.Second
)

// run is one night: everything that happens to a network in its life, in a few minutes.
func (o *options) run(ctx context.Context, c *campaign.Campaign) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory)
	}
	return campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		n := &night{Campaign: c, options: o}
		c.Table("what", "nodes", "posts", "connections", "virtual", "of processors", "GB live", "GB stacks", "GB in all", "goroutines", "result")
		for _, part := range []func(context.Context, *campaign.Simulation) error{n.join, n.publish, n.read, n.kill} {
			if err := part(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// A night is the network and what was published on it.
type night struct {
	*campaign.Campaign
	*options

	net   *colony.Colony
	posts []*records.Record

	virtual time.Time // when the present part began
	real    time.Duration
}

// begin and report frame a part.
func (n *night) begin() { n.virtual, n.real = time.Now(), cpu() }

func (n *night) report(what, result string) {
	running, connections := n.net.Net.Running(), 0
	for _, x := range running {
		connections += x.Status().Peers
	}
	m := taken()
	n.Row(what, len(running), len(n.posts), connections/len(running), time.Since(n.virtual).Round(time.Second),
		(cpu() - n.real).Round(time.Second), m.live, m.stacks, m.all, runtime.NumGoroutine(), result)
	if err := n.profile(what, len(running)); err != nil {
		n.Say("%v", err)
	}
}

// join starts the nodes in waves. Its rows count from its beginning.
func (n *night) join(ctx context.Context, s *campaign.Simulation) (err error) {
	all := n.nodes
	if all == 0 {
		all = n.Size(1_000, 40)
	}
	n.begin()
	n.net, err = colony.Found(n.Campaign, s, colony.Config{
		Nodes: min(wave, all), Neighbourhood: n.Size(8, 4),
		Tune: func(c *node.Config) {
			c.ConnsLow, c.ConnsHigh, c.HealInterval = connsLow, connsHi, interval
			c.DoorSize = 512
		},
	})
	if err != nil {
		return err
	}
	for len(n.net.Net.Nodes) < all {
		if err := ctx.Err(); err != nil {
			return err
		}
		for range min(wave, all-len(n.net.Net.Nodes)) {
			n.net.Net.Start()
		}
		n.net.Net.WaitReady()
		n.net.Net.Pass(waveRest)
		n.report("joining", "")
	}
	n.net.Net.Pass(settling)
	around := n.net.Neighbours()
	n.report("join", fmt.Sprintf("neighbourhoods of %d to %d", around[0], around[len(around)-1]))
	n.Figure("nodes", all)
	n.Figure("neighbourhood_least", around[0])
	n.AtLeast("nodes in the smallest neighbourhood", float64(around[0]), float64(n.net.Network.Params.Neighbourhood))
	return nil
}

// publish has nodes all over the network post, while some watch.
func (n *night) publish(ctx context.Context, _ *campaign.Simulation) error {
	n.begin()
	drafts, err := n.drafts(cmp.Or(n.options.posts, n.Size(500, 100)))
	if err != nil {
		return err
	}
	ears, err := n.listen(ctx, drafts)
	if err != nil {
		return err
	}
	defer ears.end()
	failed, err := n.put(ctx, drafts, n.net.Net.Running())
	if err != nil {
		return err
	}
	n.net.Net.Pass(hearTime)
	soon := ears.take(n.posts)
	n.report("publish and watch", soon.String())
	n.Figure("posts", len(n.posts))
	n.AtMost("posts that no majority acknowledged", float64(len(failed)), 0)
	n.AtLeast("share of posts heard live within 10 s", soon.share(), 0.99)
	if soon.missed() > 0 {
		n.net.Net.Pass(checkTime)
		n.report("a minute later", ears.take(n.posts).String())
	}
	n.AtLeast("share of posts heard live", ears.take(n.posts).share(), 0.999)
	return nil
}

// put publishes drafts, each on a node of some, and returns what no majority of the
// members acknowledged.
func (n *night) put(ctx context.Context, drafts []node.Draft, on []*nodetest.Node) (failed []*records.Record, err error) {
	results := make([]*records.Record, len(drafts))
	short := make([]bool, len(drafts))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, d := range drafts {
		x := on[n.net.Random.IntN(len(on))]
		g.Go(func() error {
			receipt, err := x.Publish(gctx, d)
			if errors.Is(err, node.ErrNoQuorum) {
				short[i], err = true, nil
			}
			results[i] = receipt.Record
			if err != nil {
				return fmt.Errorf("publish on node %d: %w", x.Index, err)
			}
			return nil
		})
	}
	err = g.Wait()
	for i, r := range results {
		if short[i] {
			failed = append(failed, r)
		}
		if r != nil {
			n.posts = append(n.posts, r)
		}
	}
	return failed, err
}

// read reads every timeline from end to end.
func (n *night) read(ctx context.Context, _ *campaign.Simulation) error {
	return n.readAll(ctx, "read", 1)
}

func (n *night) readAll(ctx context.Context, when string, least float64) error {
	n.begin()
	running := n.net.Net.Running()
	var by []*nodetest.Node
	for range readers {
		by = append(by, running[n.net.Random.IntN(len(running))])
	}
	got, err := n.net.Read(ctx, by, n.posts)
	if err != nil {
		return err
	}
	n.report(when, fmt.Sprintf("%.4g in all timelines, %d gaps", got.Everywhere(), got.Gaps))
	n.Figure("readable, "+when, got.Everywhere())
	n.AtLeast("posts readable in all their timelines, "+when, got.Everywhere(), least)
	n.AtMost("posts read twice, "+when, float64(got.Twice+got.Foreign), 0)
	return nil
}

// kill takes 30 % away at once and lets the rest heal.
func (n *night) kill(ctx context.Context, _ *campaign.Simulation) error {
	all := len(n.net.Net.Nodes)
	n.net.Net.Kill(n.net.Some(all*30/100, all)...)
	if err := n.readAll(ctx, "30 % killed", 0.999); err != nil {
		return err
	}
	differences := n.heal(ctx)
	n.AtMost("places that differ two intervals and a minute after the deaths", float64(differences), 0)
	return n.readAll(ctx, "at the end", 1)
}

// heal waits until no place differs from what it should be, and returns how many do once
// the time for that is over.
func (n *night) heal(ctx context.Context) (differences int) {
	n.begin()
	for {
		for range healLook / time.Second { // a second of a thousand nodes is many of a machine, and ctrl-C waits for it
			if ctx.Err() == nil {
				n.net.Net.Pass(time.Second)
			}
		}
		differences = len(n.net.Net.Audit(n.posts))
		over := time.Since(n.virtual) >= healTime || ctx.Err() != nil
		if differences > 0 && !over {
			n.report("healing", fmt.Sprintf("%d places differ", differences))
			continue
		}
		n.report("healed", fmt.Sprintf("%d places differ", differences))
		return differences
	}
}

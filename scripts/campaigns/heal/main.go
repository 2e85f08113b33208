// Command heal takes a third of a network away and follows the rest until everything is where it should be again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/colony"
	"github.com/starling-social/starling/scripts/internal/plot"
)

const (
	interval = 3 * time.Minute // between two comparisons of a node, as nodes have it
	soon     = interval + time.Minute
	within   = 2*interval + time.Minute
	step     = 5 * time.Second
	rest     = 3 * time.Minute // after which joining makes no more traffic
	killed   = 30              // per cent
)

func main() {
	plots := ""
	campaign.Main("heal", func(ctx context.Context, c *campaign.Campaign) error {
		return campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error { return heal(ctx, c, s, plots) })
	}, func(f *flag.FlagSet) { f.StringVar(&plots, "plots", "", "directory to write the curve to") })
}

// heal kills 30 % of all nodes at once and counts the records that members lack: the
// members by the rule of neighbourhoods, as one who knows everybody would apply it to
// those who live on, and the members as the nodes themselves see it. Nobody reads,
// so that what is healed is healed unread.
func heal(ctx context.Context, c *campaign.Campaign, s *campaign.Simulation, plots string) error {
	net, err := colony.Found(c, s, colony.Config{
		Nodes: c.Size(200, 32), Neighbourhood: c.Size(16, 6),
		Tune: func(n *node.Config) { n.HealInterval = interval },
	})
	if err != nil {
		return err
	}
	posts, err := net.Library(ctx, c.Size(2_000, 200))
	if err != nil {
		return err
	}
	net.Net.Plant(ctx, posts)
	o := &observer{Colony: net, plan: net.Net.Plan(posts)}
	net.Net.Pass(rest)
	idle := o.traffic(time.Minute)
	all := len(net.Net.Nodes)
	c.Figure("nodes", all)
	c.Figure("posts", len(posts))
	c.Figure("neighbourhood_least", net.Neighbours()[0])

	net.Net.Kill(net.Some(all*killed/100, all)...)
	if err := o.follow(ctx); err != nil {
		return err
	}
	o.report(idle)
	return o.draw(plots)
}

// An observer watches a colony heal.
type observer struct {
	*colony.Colony
	plan    *nodetest.Plan
	samples []sample
}

// A sample is how far healing has come.
type sample struct {
	after            time.Duration // the deaths
	rule, own        nodetest.Cover
	wholeNodes       int
	taken, given     int64
	sent             int64 // bytes, by all nodes, for whatever reason
	smallest, median int   // neighbourhood
}

func (o *observer) sample(after time.Duration) sample {
	x := sample{after: after, sent: o.Net.Links.Stats().Bytes}
	x.rule, x.wholeNodes = o.Cover(o.plan, o.Rule())
	x.own, _ = o.Cover(o.plan, colony.Own)
	x.taken, x.given = o.Moved()
	around := o.Neighbours()
	x.smallest, x.median = around[0], around[len(around)/2]
	return x
}

// traffic is how many bytes a second a node sends in the mean.
func (o *observer) traffic(long time.Duration) float64 {
	before := o.Net.Links.Stats().Bytes
	o.Net.Pass(long)
	return float64(o.Net.Links.Stats().Bytes-before) / long.Seconds() / float64(len(o.Net.Running()))
}

// follow takes samples until two intervals and a minute are over.
func (o *observer) follow(ctx context.Context) error {
	o.Table("after", "due", "missing", "missing as seen", "nodes whole", "taken", "given", "KB sent a node", "neighbourhood", "median")
	began := time.Now()
	for passed := time.Duration(0); ; passed = time.Since(began) {
		x := o.sample(passed)
		o.samples = append(o.samples, x)
		if n := len(o.samples); n == 1 || passed%(30*time.Second) == 0 || x.rule.Missing() != o.samples[n-2].rule.Missing() {
			o.Row(passed, x.rule.Due, x.rule.Missing(), x.own.Missing(), x.wholeNodes, x.taken-o.samples[0].taken, x.given-o.samples[0].given,
				float64(x.sent-o.samples[0].sent)/1000/o.living(), x.smallest, x.median)
		}
		if passed >= within {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		o.Net.Pass(step)
	}
}

func (o *observer) living() float64 { return float64(len(o.Net.Running())) }

// until is the time from which on at least a share of what is due stays held; twice
// the time observed when it is not.
func (o *observer) until(share float64) time.Duration {
	reached := 2 * within
	for _, x := range slices.Backward(o.samples) {
		if float64(x.rule.Held) < share*float64(x.rule.Due) {
			break
		}
		reached = x.after
	}
	return reached
}

func (o *observer) report(idle float64) {
	first, last := o.samples[0], o.samples[len(o.samples)-1]
	taken, given := last.taken-first.taken, last.given-first.given
	lacked := first.rule.Missing()
	for _, x := range o.samples {
		lacked = max(lacked, x.rule.Missing(), x.own.Missing())
	}
	bytes := float64(last.sent-first.sent) / o.living()
	o.Figure("living", len(o.Net.Running()))
	o.Figure("records_due", last.rule.Due)
	o.Figure("records_lacked", lacked)
	o.Figure("records_taken", taken)
	o.Figure("records_given", given)
	o.Figure("bytes_a_node", bytes)
	o.Figure("bytes_a_node_beyond_idle", bytes-idle*last.after.Seconds())
	o.Figure("neighbourhood_after", last.smallest)
	o.AtMost("seconds_until_99_percent", o.until(0.99).Seconds(), soon.Seconds())
	o.AtMost("seconds_until_100_percent", o.until(1).Seconds(), within.Seconds())
	o.AtMost("missing_in_the_end", float64(last.rule.Missing()), 0)
	o.AtMost("missing_in_the_end_as_seen", float64(last.own.Missing()), 0)
}

// draw writes the curve, if a directory for it was given.
func (o *observer) draw(dir string) error {
	if dir == "" {
		return nil
	}
	curve := plot.Curve{Name: "records that members lack, of those due"}
	for _, x := range o.samples[1:] {
		if m := x.rule.Missing(); m > 0 {
			curve.Points = append(curve.Points, plot.Point{X: x.after.Seconds(), Y: 100 * float64(m) / float64(x.rule.Due)})
		}
	}
	f, err := os.Create(filepath.Join(dir, "heal.svg"))
	if err != nil {
		return err
	}
	picture := plot.Plot{
		Title: fmt.Sprintf("After %d %% of %d nodes died at once", killed, len(o.Net.Nodes)),
		X:     plot.Axis{Label: "seconds since"}, Y: plot.Axis{Label: "per cent"}, Curves: []plot.Curve{curve},
	}
	if err := plot.WriteSVG(f, picture); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

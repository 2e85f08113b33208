// Command churn lets thousands of modelled nodes come and go for days and looks for what is lost.
package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/model"
)

// proof is what the command line asks for.
type proof struct {
	*campaign.Campaign
	only  string // one part alone
	plots string // folder for pictures, if any
}

// A part shows one thing.
type part struct {
	name string
	run  func(*proof, context.Context) error
}

var parts = []part{
	{"level", (*proof).level},
	{"soak", (*proof).soak},
	{"faults", (*proof).faults},
	{"kill", (*proof).kill},
	{"sweep", (*proof).sweep},
}

// run shows, on the model of [model.World]: that it agrees with whole nodes where
// both can be had; that nothing is lost at the values that are the default; what else
// may happen to a network; and what other values would cost and lose.
func main() {
	p := &proof{}
	campaign.Main("churn", func(ctx context.Context, c *campaign.Campaign) error {
		p.Campaign = c
		for _, part := range parts {
			if p.only != "" && p.only != part.name {
				continue
			}
			if err := part.run(p, ctx); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
		return nil
	}, func(f *flag.FlagSet) {
		f.StringVar(&p.only, "only", "", "one part alone: level, soak, faults, kill or sweep")
		f.StringVar(&p.plots, "plots", "", "write the curves into this folder")
	})
}

// The values that are the default.
var (
	neighbourhood = records.MainNetwork().Params.Neighbourhood
	interval      = node.Default().HealInterval
	mendRate      = node.Default().MendRate
)

// chosen is a network with those values.
func (p *proof) chosen(nodes, keys int) model.Config {
	return model.Config{
		Seed: p.Seed, Nodes: nodes, Keys: keys,
		Neighbourhood: neighbourhood, Interval: interval, MendRate: mendRate,
	}
}

const halfLife = 2 * time.Hour

// columns of what a world came to.
var columns = []string{"lost", "read, mean", "read, least", "left", "compared, KiB", "moved, MiB", "kept, MiB"}

// An outcome is what a world came to.
type outcome struct {
	lost        int
	mean, least float64 // shares of keys that were readable
	left        int     // nodes that went
	talked      float64 // bytes for each node and hour
	moved       float64
	kept        float64 // bytes at the end for each node
}

func (o outcome) cells() []any {
	return []any{o.lost, o.mean, o.least, o.left, o.talked / (1 << 10), o.moved / (1 << 20), o.kept / (1 << 20)}
}

// watch lets a world live and looks at it every ten minutes.
func watch(ctx context.Context, w *model.World, long time.Duration) (o outcome, err error) {
	const look = 10 * time.Minute
	before := w.Sum()
	o.least = 1
	looks := 0
	for end := w.Now() + long; w.Now() < end; looks++ {
		if err := ctx.Err(); err != nil {
			return o, context.Cause(ctx)
		}
		w.Pass(look)
		read := float64(w.Readable()) / float64(w.Keys)
		o.mean += read
		o.least = min(o.least, read)
	}
	after := w.Sum()
	hours := (after.NodeTime - before.NodeTime).Hours()
	o.mean /= float64(looks)
	o.lost, o.left = w.Lost(), after.Left-before.Left
	o.talked = float64(after.Talked-before.Talked) / hours
	o.moved = float64(after.Moved-before.Moved) / hours
	copies := 0
	for _, holders := range w.Holders() {
		copies += holders
	}
	o.kept = float64(copies) * float64(w.KeyBytes) / float64(w.Nodes)
	return o, nil
}

// Command timelines reads quiet and busy timelines side by side with a depth-first reader and counts what it costs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/starling-social/starling/scripts/internal/campaign"
)

func main() {
	var o options
	campaign.Main("timelines", o.run, func(f *flag.FlagSet) {
		f.StringVar(&o.corpus, "corpus", os.Getenv("CORPUS"), "a `file` of posts, one JSON object a line, perhaps gzipped, to read from end to end")
		f.StringVar(&o.plots, "plots", "", "write the plots into this `directory`")
		f.StringVar(&o.only, "only", "", "run these `parts` alone, separated by commas: rows, home, bursts, density, storm, busiest, corpus; the bars of the others are not set")
	})
}

type options struct{ corpus, plots, only string }

// memory is how much the campaign may take before the collector works harder. Of
// what it needs at once, about seven gigabytes, 200 nodes with their connections are
// half, and a hundred thousand records on 25 members each two and a half.
const memory = 12 << 30

// A part is some of the campaign.
type part struct {
	name string
	run  func(context.Context, *scene) error
}

// run is the whole campaign: some networks, one after the other, so that not all
// records have to be in memory at once; a quick run has few and needs one.
func (o *options) run(ctx context.Context, c *campaign.Campaign) error {
	debug.SetMemoryLimit(memory)
	networks := [][]part{
		{{"rows", quietAndBusy}, {"home", home}, {"bursts", bursts}, {"density", o.density}},
		{{"storm", writing}},
		{{"busiest", busiest}, {"corpus", o.endToEnd}},
	}
	if c.Quick {
		networks = [][]part{slices.Concat(networks...)}
	}
	for _, parts := range networks {
		if o.only != "" {
			parts = slices.DeleteFunc(parts, func(p part) bool { return !slices.Contains(strings.Split(o.only, ","), p.name) })
		}
		if len(parts) == 0 {
			continue
		}
		if err := simulate(ctx, c, parts); err != nil {
			return err
		}
	}
	return nil
}

// simulate runs parts in a network of their own.
func simulate(ctx context.Context, c *campaign.Campaign, parts []part) error {
	return campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		sc, err := stage(c, s, c.Size(200, 40))
		if err != nil {
			return err
		}
		for _, p := range parts {
			if err := p.run(ctx, sc); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
		return nil
	})
}

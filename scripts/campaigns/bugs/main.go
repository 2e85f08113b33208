// Command bugs puts one mistake after the other into the code and looks whether the test that is to catch it does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/scripts/internal/campaign"
)

// quickBugs is how many of the light ones a quick run tries.
const quickBugs = 3

func main() {
	only := ""
	campaign.Main("bugs", func(ctx context.Context, c *campaign.Campaign) error { return run(ctx, c, only) }, func(f *flag.FlagSet) {
		f.StringVar(&only, "only", "", "the `test` by which to pick bugs")
	})
}

func run(ctx context.Context, c *campaign.Campaign, only string) error {
	bugs := chosen(c, only)
	if len(bugs) == 0 {
		return fmt.Errorf("no bug is caught by %q", only)
	}
	for _, b := range bugs {
		if _, err := b.patched("."); err != nil {
			return err
		}
	}
	c.Table("bug", "verdict", "took", "test")
	verdicts := make([]verdict, len(bugs))
	tried := make([]chan error, len(bugs))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range tried {
		tried[i] = make(chan error, 1)
	}
	go func() {
		for i, b := range bugs {
			g.Go(func() (err error) {
				verdicts[i], err = b.try(ctx, ".")
				tried[i] <- err
				return nil
			})
		}
	}()
	var failed error
	caught := 0
	for i, b := range bugs {
		if err := <-tried[i]; err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", b.name, err))
			continue
		}
		v := verdicts[i]
		c.Row(b.name, v.word(), v.took, b.in()+"  "+b.test)
		if v.caught() {
			caught++
		}
	}
	if failed != nil {
		return failed
	}
	c.Figure("bugs", len(bugs))
	c.AtLeast("caught", float64(caught), float64(len(bugs)))
	return nil
}

// chosen are all bugs, those of one test, or a handful that is quickly built.
func chosen(c *campaign.Campaign, only string) (out []bug) {
	for _, b := range all() {
		if (only == "" || only == b.test) && (!c.Quick || b.light) {
			out = append(out, b)
		}
	}
	if c.Quick {
		c.Rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		out = out[:min(len(out), quickBugs)]
	}
	return out
}

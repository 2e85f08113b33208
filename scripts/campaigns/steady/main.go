// Command steady runs the tests of the gate again and again under the race detector on two processors, and keeps what those that failed said.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/starling-social/starling/scripts/internal/campaign"
)

// A plan is what is run how often.
type plan struct {
	runs     int
	packages string // as the go command takes them
	only     string // tests; all that the gate runs under the race detector if empty
	keep     string // directory for what failed tests said
}

func main() {
	var p plan
	campaign.Main("steady", func(ctx context.Context, c *campaign.Campaign) error { return p.run(ctx, c) }, func(f *flag.FlagSet) {
		f.IntVar(&p.runs, "runs", 0, "how `many` runs; 50 if 0, 1 with --quick")
		f.StringVar(&p.packages, "packages", "", "`packages` to test, with commas between them; all if empty, a few with --quick")
		f.StringVar(&p.only, "only", "", "a regular `expression` of tests, instead of those that the gate runs")
		f.StringVar(&p.keep, "keep", "", "`directory` for what failed tests said; a new one in that for temporary files if empty")
	})
}

// quickly are packages that are built and tested within seconds.
const quickly = "./node/healing,./records/reconcile"

func (p plan) run(ctx context.Context, c *campaign.Campaign) error {
	if p.runs == 0 {
		p.runs = c.Size(50, 1)
	}
	if p.packages == "" {
		p.packages = "./..."
		if c.Quick {
			p.packages = quickly
		}
	}
	args, err := p.args()
	if err != nil {
		return err
	}
	c.Table("run", "shuffle", "tests", "failed", "races", "took")
	var all tally
	tests := 0
	for i := range p.runs {
		shuffle, began := c.Rand.Uint32N(math.MaxInt32), time.Now()
		t, err := trial(ctx, append(args, fmt.Sprint("-shuffle=", shuffle)))
		if err != nil {
			return fmt.Errorf("run %d: %w", i+1, err)
		}
		tests = max(tests, t.passed+len(t.failed))
		c.Row(i+1, shuffle, t.passed+len(t.failed), len(t.failed), t.races, time.Since(began))
		all.add(t, i+1, shuffle)
	}
	if err := p.report(c, all); err != nil {
		return err
	}
	c.Figure("runs", p.runs)
	c.Figure("tests_a_run", tests)
	c.AtLeast("passed", float64(all.passed), 1)
	c.AtMost("failed", float64(len(all.failed)), 0)
	c.AtMost("races", float64(all.races), 0)
	return nil
}

// args are those of the go command for each run.
func (p plan) args() ([]string, error) {
	args := []string{"test", "-json", "-race", "-short", "-count=1", "-timeout=30m"}
	if p.only != "" {
		args = append(args, "-run", p.only)
	} else {
		left, err := leftOut("scripts/check")
		if err != nil {
			return nil, err
		}
		args = append(args, "-skip", left)
	}
	return append(args, strings.Split(p.packages, ",")...), nil
}

// leftOut are the tests that the gate does not run under the race detector, of which
// it alone has the list.
func leftOut(gate string) (string, error) {
	b, err := os.ReadFile(gate)
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`(?m)^large='([^']+)'$`).FindSubmatch(b)
	if found == nil {
		return "", errors.New("the gate does not say which tests are left out under the race detector")
	}
	return string(found[1]), nil
}

// report tells how often each test failed, and keeps what it said.
func (p plan) report(c *campaign.Campaign, all tally) error {
	if len(all.failed) == 0 {
		return nil
	}
	if p.keep == "" {
		dir, err := os.MkdirTemp("", "starling-steady-")
		if err != nil {
			return err
		}
		p.keep = dir
	} else if err := os.MkdirAll(p.keep, 0o750); err != nil {
		return err
	}
	often := map[string][]string{}
	for _, f := range all.failed {
		name := fmt.Sprintf("%s.%d.log", strings.NewReplacer("/", "_").Replace(f.name), f.run)
		if err := os.WriteFile(filepath.Join(p.keep, name), []byte(f.said), 0o600); err != nil {
			return err
		}
		often[f.name] = append(often[f.name], fmt.Sprintf("%d (%d)", f.run, f.shuffle))
	}
	c.Table("failed", "times", "runs and their shuffle; what was said is in "+p.keep)
	for _, name := range slices.Sorted(maps.Keys(often)) {
		c.Row(name, len(often[name]), strings.Join(often[name], ", "))
	}
	return nil
}

// Command crash kills the store, takes its power, damages and fills its disk, and looks for what it had acknowledged.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/crash"
)

// With a directory in the environment the program is the child that is killed.
const (
	envDir   = "STARLING_CRASH_DIR"
	envCycle = "STARLING_CRASH_CYCLE"
)

func main() {
	dir := os.Getenv(envDir)
	if dir == "" {
		var only string
		campaign.Main("crash", func(ctx context.Context, c *campaign.Campaign) error { return run(ctx, c, only) }, func(f *flag.FlagSet) {
			f.StringVar(&only, "only", "", "one part: kill, power, flip, full, sync or restart")
		})
		return
	}
	cycle, err := strconv.Atoi(os.Getenv(envCycle))
	if err == nil {
		err = crash.Child(context.Background(), dir, cycle, os.Stdout)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func run(ctx context.Context, c *campaign.Campaign, only string) error {
	parts := []struct {
		name string
		run  campaign.Run
	}{{"kill", kill}, {"power", power}, {"flip", flips}, {"full", full}, {"sync", syncs}, {"restart", restarts}}
	known := only == ""
	for _, p := range parts {
		if only != "" && only != p.name {
			continue
		}
		known = true
		if err := p.run(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if !known {
		return fmt.Errorf("there is no part %q", only)
	}
	return nil
}

// kill kills a process that writes, again and again on one store.
func kill(ctx context.Context, c *campaign.Campaign) error {
	dir, err := os.MkdirTemp("", "starling-crash-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	trial, err := crash.New(dir, c.Rand, func(ctx context.Context, cycle int) *exec.Cmd {
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), envDir+"="+dir, envCycle+"="+strconv.Itoa(cycle))
		return cmd
	})
	if err != nil {
		return err
	}
	return cycles(ctx, c, trial)
}

func cycles(ctx context.Context, c *campaign.Campaign, trial *crash.Trial) error {
	n, acknowledged, lost, returned := c.Size(500, 15), 0, 0, 0
	c.Table("cycle", "acknowledged", "checked", "lost", "returned")
	for cycle := range n {
		r, err := trial.Cycle(ctx)
		if err != nil {
			return err
		}
		acknowledged += r.Acknowledged
		lost += r.Lost
		returned += r.Returned
		if (cycle+1)%50 == 0 || r.Lost > 0 {
			c.Row(cycle+1, acknowledged, r.Checked, lost, returned)
		}
	}
	c.Figure("kill_cycles", n)
	c.Figure("kill_acknowledged", acknowledged)
	c.AtMost("kill_lost", float64(lost), 0)
	c.AtMost("kill_dropped_returned", float64(returned), 0)
	return nil
}

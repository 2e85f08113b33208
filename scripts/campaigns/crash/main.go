// Command crash kills the store again and again and looks for what it had acknowledged.
package main

import (
	"context"
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
		campaign.Main("crash", run)
		return
	}
	cycle, err := strconv.Atoi(os.Getenv(envCycle))
	if err == nil {
		err = crash.Child(context.Background(), dir, cycle, os.Stdout)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func run(ctx context.Context, c *campaign.Campaign) error {
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
	n, acknowledged, lost := c.Size(200, 20), 0, 0
	c.Table("cycle", "acknowledged", "checked", "lost")
	for cycle := range n {
		r, err := trial.Cycle(ctx)
		if err != nil {
			return err
		}
		acknowledged += r.Acknowledged
		lost += r.Lost
		if (cycle+1)%20 == 0 || r.Lost > 0 {
			c.Row(cycle+1, acknowledged, r.Checked, lost)
		}
	}
	c.Figure("cycles", n)
	c.Figure("acknowledged", acknowledged)
	c.AtMost("lost", float64(lost), 0)
	return nil
}

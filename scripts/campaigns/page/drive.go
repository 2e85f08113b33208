package main

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/starling-social/starling/scripts/internal/campaign"
)

//go:embed js/package.json js/package-lock.json js/*.mjs js/careless.html
var program embed.FS

// tools sees to node, npm and the browser, and says where the browser is.
func tools(ctx context.Context, chromium string) (string, error) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("no %s on this machine: %w", tool, err)
		}
	}
	if path, err := exec.LookPath(chromium); err == nil {
		return path, nil
	}
	if chromium != "chromium" || os.Getuid() != 0 {
		return "", fmt.Errorf("no browser %q on this machine: install Debian's chromium, or name one with --chromium", chromium)
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", "chromium"}} {
		apt := exec.CommandContext(ctx, "apt-get", args...) //nolint:gosec // the two lines above
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := apt.CombinedOutput(); err != nil {
			return "", fmt.Errorf("install chromium: %w: %s", err, out)
		}
	}
	return exec.LookPath(chromium)
}

// install puts the driver and the packages that its lock names into a directory.
func install(ctx context.Context, dir string) error {
	if err := os.CopyFS(filepath.Dir(dir), program); err != nil {
		return fmt.Errorf("copy driver: %w", err)
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return nil
}

// plan is what the driver is told first.
type plan struct {
	Nodes    []*process `json:"nodes"`
	Chromium string     `json:"chromium"`
	Quick    bool       `json:"quick"`
	Shots    string     `json:"shots"`
}

// said is a line of the driver's: something that must be so, a number, or an order.
type said struct {
	Step   string  `json:"step"`
	OK     bool    `json:"ok"`
	Got    string  `json:"got"`
	Figure string  `json:"figure"`
	Value  float64 `json:"value"`
	Order  string  `json:"order"` // stop or start
	Node   int     `json:"node"`
}

// steps is how many things the driver looks at, at least: one that ends early has
// proved less than it seems.
const steps = 55

// drive runs the driver to its end.
func drive(ctx context.Context, c *campaign.Campaign, net *network, dir string, p plan) error {
	driver := exec.CommandContext(ctx, "node", "drive.mjs")
	driver.Dir, driver.Stderr = dir, os.Stderr
	driver.Cancel = func() error { return driver.Process.Signal(os.Interrupt) }
	driver.WaitDelay = 5 * time.Second
	in, err := driver.StdinPipe()
	if err != nil {
		return fmt.Errorf("driver: %w", err)
	}
	out, err := driver.StdoutPipe()
	if err == nil {
		err = driver.Start()
	}
	if err != nil {
		return fmt.Errorf("driver: %w", err)
	}
	told := json.NewEncoder(in)
	err = told.Encode(p)
	seen, failed := 0, 0
	if err == nil {
		seen, failed, err = hear(ctx, c, net, out, told)
	}
	err = errors.Join(err, in.Close(), wrapped(driver.Wait()))
	c.AtLeast("steps", float64(seen), steps)
	c.AtMost("failed", float64(failed), 0)
	return err
}

// hear follows what the driver prints.
func hear(ctx context.Context, c *campaign.Campaign, net *network, out io.Reader, told *json.Encoder) (seen, failed int, err error) {
	c.Table("step", "", "got")
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var s said
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return seen, failed, fmt.Errorf("the driver printed %q: %w", lines.Text(), err)
		}
		switch {
		case s.Order != "":
			if err := net.obey(ctx, s); err != nil {
				return seen, failed, err
			}
			if err := told.Encode(net.nodes[s.Node]); err != nil {
				return seen, failed, fmt.Errorf("tell the driver: %w", err)
			}
		case s.Figure != "":
			c.Figure(s.Figure, s.Value)
		default:
			seen++
			verdict := "ok"
			if !s.OK {
				verdict = "FAILED"
				failed++
			}
			c.Row(s.Step, verdict, short(s.Got))
		}
	}
	return seen, failed, nil
}

func (n *network) obey(ctx context.Context, s said) error {
	if s.Node < 0 || s.Node >= len(n.nodes) {
		return fmt.Errorf("the driver names node %d of %d", s.Node, len(n.nodes))
	}
	switch p := n.nodes[s.Node]; s.Order {
	case "stop":
		p.halt()
		return nil
	case "start":
		p.first = n.nodes[len(n.nodes)-1].addr // it may have been the one that others joined by
		return n.start(ctx, p)
	default:
		return fmt.Errorf("the driver orders %q", s.Order)
	}
}

func short(text string) string {
	const most = 300
	text = strings.ReplaceAll(text, "\n", " ")
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

func wrapped(err error) error {
	if err != nil {
		return fmt.Errorf("driver: %w", err)
	}
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/crash"
)

// restarts kills whole nodes that hold many posts while they are written to, and looks
// how soon they serve again and have found those that they knew.
func restarts(ctx context.Context, c *campaign.Campaign) (err error) {
	dir, err := os.MkdirTemp("", "starling-restart-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	h := house{program: filepath.Join(dir, "starling"), dir: dir}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", h.program, "./cmd/starling").CombinedOutput(); err != nil { //nolint:gosec // into a directory of ours
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	friend, err := h.start(ctx, "friend")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, friend.end(syscall.SIGTERM)) }()
	kept, err := h.settle(ctx, friend, c.Size(100_000, 2_000))
	if err != nil {
		return err
	}
	c.Table("killed", "records", "writes answered before", "serves after", "has found its peer after")
	var serving, dialled time.Duration
	for i := range c.Size(10, 1) {
		wrote, err := h.kill(ctx)
		if err != nil {
			return err
		}
		r, err := h.rise(ctx)
		if err != nil {
			return err
		}
		c.Row(i+1, kept, wrote, r.serves, r.dials)
		serving, dialled = max(serving, r.serves), max(dialled, r.dials)
	}
	c.Figure("restart_records", kept)
	c.AtMost("restart_serving_s", serving.Seconds(), 5)
	c.AtMost("restart_dialled_s", dialled.Seconds(), 2)
	return nil
}

// A house is where nodes run as processes of their own, each with a directory. The one
// that is killed is called ours.
type house struct {
	program, dir string
	known        string // a post that has to be there after each kill
}

const ours = "ours"

// settle has our node meet the friend and say something, and then fills its store.
func (h *house) settle(ctx context.Context, friend *inhabitant, posts int) (kept int64, err error) {
	n, err := h.start(ctx, ours, "--bootstrap", friend.addr)
	if err != nil {
		return 0, err
	}
	receipt, err := n.client.Publish(ctx, api.Draft{Text: "here before"})
	if err = errors.Join(err, n.end(syscall.SIGTERM)); err != nil {
		return 0, err
	}
	h.known = receipt.ID
	const each = 100
	return crash.Stock(ctx, filepath.Join(h.dir, ours, "store"), posts/each, each)
}

// kill starts our node, writes to it from several sides and kills it meanwhile.
func (h *house) kill(ctx context.Context) (wrote int, err error) {
	n, err := h.start(ctx, ours)
	if err != nil {
		return 0, err
	}
	const callers, lasts = 4, 2 * time.Second
	counts := make([]int, callers)
	var g errgroup.Group
	for i := range callers {
		g.Go(func() error {
			for {
				if _, err := n.client.Publish(ctx, api.Draft{Text: fmt.Sprintf("%d of %d", counts[i], i)}); err != nil {
					return nil //nolint:nilerr // it was killed, which is how this ends
				}
				counts[i]++
			}
		})
	}
	timer := time.NewTimer(lasts)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	err = n.end(syscall.SIGKILL)
	_ = g.Wait()
	for _, c := range counts {
		wrote += c
	}
	return wrote, err
}

// A rising is how soon a node was there again.
type rising struct{ serves, dials time.Duration }

// rise starts our node and asks it until it shows what it had and has a peer.
func (h *house) rise(ctx context.Context) (r rising, err error) {
	began := time.Now()
	n, err := h.launch(ctx, ours)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, n.end(syscall.SIGTERM)) }()
	const patience, again = time.Minute, 5 * time.Millisecond
	for r.serves == 0 || r.dials == 0 {
		if time.Since(began) > patience {
			return r, fmt.Errorf("not there again after %s: %+v", patience, r)
		}
		if n.client == nil {
			n.client, _ = api.Dial(filepath.Join(h.dir, ours)) // the killed one's address is there until it has another
		}
		if n.client != nil && !n.look(ctx, h.known, began, &r) {
			n.client.Close()
			n.client = nil
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
	return r, nil
}

// look notes what a node can do; false when it does not answer.
func (n *inhabitant) look(ctx context.Context, known string, began time.Time, r *rising) bool {
	s, err := n.client.Status(ctx)
	if err != nil {
		return false
	}
	if r.dials == 0 && s.Peers > 0 {
		r.dials = time.Since(began)
	}
	if r.serves == 0 {
		if _, err := n.client.Post(ctx, known); err == nil {
			r.serves = time.Since(began)
		}
	}
	return true
}

// An inhabitant is a running node.
type inhabitant struct {
	cmd    *exec.Cmd
	addr   string
	client *api.Client
}

// launch runs a node and does not wait for it.
func (h *house) launch(ctx context.Context, name string, flags ...string) (*inhabitant, error) {
	n := h.node(ctx, name, flags...)
	return n, n.cmd.Start()
}

func (h *house) node(ctx context.Context, name string, flags ...string) *inhabitant {
	args := append([]string{
		"run", "--json", "--data", filepath.Join(h.dir, name), "--network", "crash",
		"--listen", "/ip4/127.0.0.1/tcp/0", "--api", "127.0.0.1:0", "--log-level", "error", "--set", "api.posts_per_hour=0",
	}, flags...)
	n := &inhabitant{cmd: exec.CommandContext(ctx, h.program, args...)} //nolint:gosec // what was built above
	n.cmd.Stderr = os.Stderr
	return n
}

// start runs a node and waits until it is ready.
func (h *house) start(ctx context.Context, name string, flags ...string) (*inhabitant, error) {
	n := h.node(ctx, name, flags...)
	out, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("run node: %w", err)
	}
	var ready struct{ Addrs []string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil || len(ready.Addrs) == 0 {
		return nil, errors.Join(fmt.Errorf("the node is not ready: %w", err), n.end(syscall.SIGKILL))
	}
	n.addr = ready.Addrs[0]
	if n.client, err = api.Dial(filepath.Join(h.dir, name)); err != nil {
		return nil, errors.Join(err, n.end(syscall.SIGKILL))
	}
	return n, nil
}

// end ends a node. One that was not killed must say that all is well.
func (n *inhabitant) end(s syscall.Signal) error {
	if n.client != nil {
		n.client.Close()
	}
	if err := n.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end node: %w", err)
	}
	if err := n.cmd.Wait(); err != nil && s != syscall.SIGKILL {
		return fmt.Errorf("the node ended: %w", err)
	}
	return nil
}

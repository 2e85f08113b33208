package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/starling-social/starling/node/api"
)

// process is a node that runs by itself.
type process struct {
	cmd    *exec.Cmd
	api    string
	token  string
	admin  string
	client *http.Client
}

// start builds the command, runs a node alone on a network of its own and waits until
// it is ready.
func start(ctx context.Context, data, program string) (*process, error) {
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/starling") //nolint:gosec // into a directory of ours
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
	}
	admin, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{admin: admin, client: &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
	p.cmd = exec.CommandContext(ctx, program, "run", //nolint:gosec // what was built above
		"--json", "--data", data, "--network", "load", "--listen", "/ip4/127.0.0.1/tcp/0",
		"--api", "127.0.0.1:0", "--log-level", "warn", "--set", "admin.listen="+admin, "--set", "api.posts_per_hour=0")
	p.cmd.Stderr = os.Stderr
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 20 * time.Second
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("run node: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("run node: %w", err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("run node: %w", err), p.stop())
	}
	e, err := api.ReadEndpoint(data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the node said %s: %w", line, err), p.stop())
	}
	p.api, p.token = e.API, e.Token
	return p, nil
}

// freePort is an address that nobody listens at just now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

func (p *process) stop() error {
	p.client.CloseIdleConnections()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop node: %w", err)
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("the node ended: %w", err)
	}
	return nil
}

// do sends a request and reads its answer to the end.
func (p *process) do(ctx context.Context, method, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.api+path, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: status %d: %.200s", method, path, resp.StatusCode, answer)
	}
	return err
}

// publish publishes a post that says when that was asked for.
func (p *process) publish(ctx context.Context) error {
	body, err := json.Marshal(api.Draft{Text: "#load " + strconv.FormatInt(time.Now().UnixNano(), 10) + " " + strings.Repeat("lorem ipsum ", 20)})
	if err != nil {
		return err
	}
	return p.do(ctx, http.MethodPost, "/v1/posts", string(body))
}

// size is what a process takes.
type size struct {
	rss        float64 // MiB
	goroutines int
}

func (p *process) size(ctx context.Context) (s size, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return s, fmt.Errorf("memory of the node: %w", err)
	}
	kib, err := numberAfter(string(status), "VmRSS:")
	if err != nil {
		return s, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+"/metrics", http.NoBody)
	if err != nil {
		return s, fmt.Errorf("make request: %w", err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return s, fmt.Errorf("metrics: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it is read
	metrics, err := io.ReadAll(resp.Body)
	if err != nil {
		return s, fmt.Errorf("metrics: %w", err)
	}
	goroutines, err := numberAfter(string(metrics), "\ngo_goroutines ")
	return size{kib / 1024, int(goroutines)}, err
}

// numberAfter is the number behind a name.
func numberAfter(text, name string) (float64, error) {
	_, rest, ok := strings.Cut(text, name)
	words := strings.Fields(rest)
	if !ok || len(words) == 0 {
		return 0, fmt.Errorf("no %q", strings.TrimSpace(name))
	}
	return strconv.ParseFloat(words[0], 64)
}

// settled is what the node takes once that is no more than wanted or, if it stays above,
// what it takes after a while: memory goes back to the system in minutes.
func (p *process) settled(ctx context.Context, wanted size, patience time.Duration) (s size, err error) {
	p.client.CloseIdleConnections()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err := pause(ctx, time.Second); err != nil {
			return s, err
		}
		if s, err = p.size(ctx); err != nil {
			return s, err
		}
		if s.rss <= wanted.rss && s.goroutines <= wanted.goroutines {
			break
		}
	}
	return s, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/starling-social/starling/node/api"
)

// network is a few nodes, each a process of its own as its owner would start it.
type network struct {
	binary string
	nodes  []*process
}

// process is one node. It answers at the same address every time it is started.
type process struct {
	API   string `json:"api"`
	Token string `json:"token"`
	User  string `json:"user"`
	Open  string `json:"public"` // where strangers read

	data  string
	first string // an address of a node to join by; empty for the first one
	addr  string // one of its own
	cmd   *exec.Cmd
}

// build makes the program as it is here.
func build(ctx context.Context, binary string) error {
	compile := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/starling") //nolint:gosec // a file that we name
	if out, err := compile.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	return nil
}

func startNetwork(ctx context.Context, dir, binary string, count int) (*network, error) {
	n := &network{binary: binary}
	for i := range count {
		addr, err := freeAddr(ctx)
		if err != nil {
			return nil, err
		}
		p := &process{API: addr, data: filepath.Join(dir, strconv.Itoa(i))}
		if p.Open, err = freeAddr(ctx); err != nil {
			return nil, err
		}
		if i > 0 {
			p.first = n.nodes[0].addr
		}
		if err := n.start(ctx, p); err != nil {
			n.stop()
			return nil, err
		}
		n.nodes = append(n.nodes, p)
	}
	return n, nil
}

func freeAddr(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// start starts a node and waits until it says that it is ready.
func (n *network) start(ctx context.Context, p *process) error {
	args := []string{
		"run", "--json", "--network", "page", "--profile", "local", "--data", p.data, "--api", p.API,
		"--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--log-level", "error", "--set", "public.listen=" + p.Open,
	}
	if p.first != "" {
		args = append(args, "--bootstrap", p.first)
	}
	p.cmd = exec.CommandContext(ctx, n.binary, args...) //nolint:gosec // what we built, with what we chose
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 10 * time.Second
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start a node: %w", err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the node did not say that it is ready: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	var ready struct {
		Addrs []string `json:"addrs"`
	}
	if err := json.Unmarshal(line, &ready); err != nil || len(ready.Addrs) == 0 {
		return fmt.Errorf("the node said %q when it was ready: %w", line, err)
	}
	p.addr = ready.Addrs[0]
	return p.learn(ctx)
}

// learn reads who the node is and how its owner's programs reach it.
func (p *process) learn(ctx context.Context) error {
	e, err := api.ReadEndpoint(p.data)
	if err != nil {
		return err
	}
	p.Token = e.Token
	client, err := api.Dial(p.data)
	if err != nil {
		return err
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	p.User = status.User
	return nil
}

// halt ends a node as ctrl-C does.
func (p *process) halt() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait() // however it ends, it is over
}

func (n *network) stop() {
	for _, p := range n.nodes {
		p.halt()
	}
}

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// loopback is whole nodes with disks and sockets, in real time: what other programs
// can dial.
type loopback struct {
	network records.Network
	nodes   []*node.Node
	group   *errgroup.Group
	end     context.CancelFunc
}

// startLoopback returns when all nodes know each other.
func startLoopback(ctx context.Context, dir string, network records.Network, size int) (*loopback, error) {
	l := &loopback{network: network}
	ctx, l.end = context.WithCancel(ctx)
	l.group, ctx = errgroup.WithContext(ctx)
	for i := range size {
		if err := l.add(ctx, filepath.Join(dir, fmt.Sprint(i))); err != nil {
			return nil, errors.Join(fmt.Errorf("node %d: %w", i, err), l.stop())
		}
	}
	if err := l.settle(ctx); err != nil {
		return nil, errors.Join(err, l.stop())
	}
	return l, nil
}

// add starts a node with both of the wires that js-libp2p has in every place.
func (l *loopback) add(ctx context.Context, dir string) error {
	identity, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return fmt.Errorf("make node key: %w", err)
	}
	person, err := records.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	cfg := node.Default()
	cfg.DataDir, cfg.Identity, cfg.Person, cfg.Network = dir, identity, person, l.network
	cfg.PortMap, cfg.AutoNAT, cfg.HolePunch, cfg.RelayService, cfg.RelayClient = false, false, false, false, false
	cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"}
	if len(l.nodes) > 0 {
		cfg.Bootstrap = l.nodes[0].Addrs()
	}
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	l.nodes = append(l.nodes, n)
	l.group.Go(func() error { return n.Run(ctx) })
	select {
	case <-n.Ready():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settle waits until all are members of all places, as they are in a network so small,
// and know it.
func (l *loopback) settle(ctx context.Context) error {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		knowing := 0
		for _, n := range l.nodes {
			if s := n.Status(); s.Prefix == 0 && s.Members == len(l.nodes) {
				knowing++
			}
		}
		if knowing == len(l.nodes) {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// addrs is one address of each node, of a wire.
func (l *loopback) addrs(wire string) []string {
	var out []string
	for _, n := range l.nodes {
		for _, a := range n.Addrs() {
			if strings.Contains(a, "/ws/") == (wire == "ws") {
				out = append(out, a)
				break
			}
		}
	}
	return out
}

// stop ends all nodes and waits for them.
func (l *loopback) stop() error {
	l.end()
	if err := l.group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

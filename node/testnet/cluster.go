package testnet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// mixes are what the nodes listen on, in turn. The first, by whom all others join,
// has everything; of the rest each has one wire, so that everybody must reach
// everybody else by that one. WebTransport and WebRTC are the dearest to set up.
var mixes = [][]string{
	{"/tcp/0", "/tcp/0/ws", "/udp/0/quic-v1", "/udp/0/quic-v1/webtransport", "/udp/0/webrtc-direct"},
	{"/tcp/0"},
	{"/udp/0/quic-v1"},
	{"/tcp/0/ws"},
	{"/udp/0/quic-v1"},
	{"/tcp/0"},
	{"/udp/0/quic-v1/webtransport"},
	{"/udp/0/quic-v1"},
	{"/tcp/0/ws"},
	{"/udp/0/webrtc-direct"},
}

// cluster is nodes that run. The soft limit of open files needs no raising here:
// the Go runtime has raised it to the hard one.
type cluster struct {
	nodes []*node.Node
	end   context.CancelFunc
	group *errgroup.Group
	dir   string
}

const (
	settleTime  = 60 * time.Second // for all nodes to know their neighbourhoods
	settleQuiet = 3 * time.Second  // without a change
)

// startCluster also returns the context of all work on the cluster: it ends when
// one of the nodes does.
func startCluster(ctx context.Context, c Config, network records.Network) (*cluster, context.Context, error) {
	dir, err := os.MkdirTemp(c.Dir, "starling-testnet-")
	if err != nil {
		return nil, nil, fmt.Errorf("make directory for the nodes: %w", err)
	}
	net := &cluster{dir: dir}
	ctx, net.end = context.WithCancel(ctx)
	net.group, ctx = errgroup.WithContext(ctx)
	if err := net.grow(ctx, c, network); err != nil {
		return nil, nil, errors.Join(err, net.stop())
	}
	return net, ctx, nil
}

// grow starts the nodes one by one, each when the one before is ready, and waits
// until they have found each other.
func (net *cluster) grow(ctx context.Context, c Config, network records.Network) error {
	c.Progress.Phase("start nodes", c.Nodes)
	for i := range c.Nodes {
		n, err := net.add(ctx, c, network, i)
		if err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
		select {
		case <-n.Ready():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		c.Progress.Advance(1)
	}
	c.Progress.Phase("find neighbours", c.Nodes)
	return net.settle(ctx, c)
}

func (net *cluster) add(ctx context.Context, c Config, network records.Network, i int) (*node.Node, error) {
	identity, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make node key: %w", err)
	}
	person, err := records.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	cfg := node.Default()
	cfg.DataDir = filepath.Join(net.dir, fmt.Sprint(i))
	cfg.Identity, cfg.Person, cfg.Network = identity, person, network
	cfg.PortMap, cfg.AutoNAT, cfg.HolePunch, cfg.RelayService, cfg.RelayClient = false, false, false, false, false
	cfg.ConnsLow, cfg.ConnsHigh = max(cfg.ConnsLow, 2*c.Nodes), max(cfg.ConnsHigh, 3*c.Nodes)
	cfg.Log = c.Log.With("node", i)
	cfg.Listen = nil
	for _, wire := range mixes[i%len(mixes)] {
		cfg.Listen = append(cfg.Listen, "/ip4/127.0.0.1"+wire)
	}
	if i > 0 {
		cfg.Bootstrap = net.nodes[0].Addrs()
	}
	n, err := node.New(cfg)
	if err != nil {
		return nil, err
	}
	net.nodes = append(net.nodes, n)
	net.group.Go(func() error {
		if err := n.Run(ctx); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
		return nil
	})
	return n, nil
}

// settle waits until every node knows all members of its neighbourhood, and no
// neighbourhood has changed for a while: whoever follows a member should find it
// there for the rest of the run.
func (net *cluster) settle(ctx context.Context, c Config) error {
	deadline, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	known, prefixes, since := 0, "", time.Now()
	for {
		now, p := net.settled()
		c.Progress.Advance(now - known)
		if known = now; p != prefixes || now < len(net.nodes) {
			prefixes, since = p, time.Now()
		}
		if time.Since(since) > settleQuiet {
			return nil
		}
		select {
		case <-look.C:
		case <-deadline.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			c.Log.Warn("not all nodes know all their neighbours yet", "settled", known, "nodes", len(net.nodes))
			return nil
		}
	}
}

// settled is how many nodes know all members of their neighbourhoods, those whose
// coordinates share as many bits as a node says, and what they say.
func (net *cluster) settled() (count int, prefixes string) {
	coordinates := make([][32]byte, len(net.nodes))
	for i, n := range net.nodes {
		coordinates[i] = sha256.Sum256([]byte(n.PeerID()))
	}
	for i, n := range net.nodes {
		s, members := n.Status(), 0
		for _, c := range coordinates {
			if sameBits(c, coordinates[i], s.Prefix) {
				members++
			}
		}
		if s.Members >= members {
			count++
		}
		prefixes += fmt.Sprint(s.Prefix, " ")
	}
	return count, prefixes
}

func sameBits(a, b [32]byte, bits int) bool {
	for i := range bits {
		if mask := byte(0x80) >> (i % 8); a[i/8]&mask != b[i/8]&mask {
			return false
		}
	}
	return true
}

// stop ends all nodes, waits for them and removes what they kept.
func (net *cluster) stop() error {
	net.end()
	err := net.group.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	if rerr := os.RemoveAll(net.dir); rerr != nil {
		err = errors.Join(err, fmt.Errorf("remove directory of the nodes: %w", rerr))
	}
	return err
}

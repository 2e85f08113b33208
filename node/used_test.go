package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
)

// overfull is a node with more connections than it may have, to clients of which the first
// are a case's own; it closes what it has too many of when told to.
func overfull(t *testing.T, scenario func(ctx context.Context, server *nodetest.Node, clients []*nodetest.Node, pass func(time.Duration))) {
	t.Helper()
	const clients = 16
	var net *nodetest.Network
	simulate(t, nodetest.Config{
		Nodes: 1, Links: nodetest.LinksConfig{Seed: 48},
		Tune: func(i int, c *node.Config) {
			c.ConnsLow, c.ConnsHigh = overfullKept, 400 // nothing is closed before the test says so
			if i > 0 {
				c.Client, c.Bootstrap = true, []string{net.Links.Addr(0).String() + "/p2p/" + net.Nodes[0].PeerID().String()}
			}
		},
	}, func(ctx context.Context, founded *nodetest.Network) {
		net = founded
		for range clients {
			net.Start()
		}
		net.WaitReady()
		scenario(ctx, net.Nodes[0], net.Nodes[1:], net.Pass)
	})
}

const overfullKept = 6

// stay fails the test unless the connections to these are among the few that are kept.
func stay(ctx context.Context, t *testing.T, server *nodetest.Node, these []*nodetest.Node, pass func(time.Duration)) {
	t.Helper()
	server.Trim(ctx)
	pass(time.Millisecond) // nobody can have come back
	if got := server.Status().Peers; got > overfullKept {
		t.Errorf("%d connections, want %d at most", got, overfullKept)
	}
	for _, x := range these {
		if !server.Connected(x.PeerID()) {
			t.Errorf("the connection to node %d was closed", x.Index)
		}
	}
}

// Those who read keep their connections, long after their streams were closed, before
// those who are merely there.
func TestConnections_readersStay(t *testing.T) {
	overfull(t, func(ctx context.Context, server *nodetest.Node, clients []*nodetest.Node, pass func(time.Duration)) {
		pass(3 * time.Minute) // nobody is new any more
		for range 4 {
			for _, x := range clients[:3] {
				texts(ctx, t, x, node.TagSource("birds"), 10)
			}
			pass(time.Second)
		}
		pass(90 * time.Second)
		stay(ctx, t, server, clients[:3], pass)
	})
}

// Those who follow somebody keep theirs before those who have read now and then, however
// quiet it is.
func TestConnections_followersStay(t *testing.T) {
	overfull(t, func(ctx context.Context, server *nodetest.Node, clients []*nodetest.Node, pass func(time.Duration)) {
		for _, x := range clients[:3] {
			if err := x.Follow(ctx, node.UserSource(author(1).User())); err != nil {
				t.Fatal(err)
			}
		}
		pass(20 * time.Minute)
		for _, x := range clients[3:] {
			texts(ctx, t, x, node.TagSource("birds"), 10)
		}
		pass(time.Second)
		stay(ctx, t, server, clients[:3], pass)
	})
}

package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
)

// A node with more connections than it may have keeps those of who reads, long after
// their streams were closed, and closes those of who is merely there.
func TestConnections_readersStay(t *testing.T) {
	const servers, clients, readers, low = 3, 16, 3, 6
	synctest.Test(t, func(t *testing.T) {
		var net *nodetest.Network
		net = nodetest.New(t, nodetest.Config{
			Nodes: servers, Links: nodetest.LinksConfig{Seed: 48},
			Tune: func(i int, c *node.Config) {
				c.ConnsLow, c.ConnsHigh = low, 400 // nothing is closed before the test says so
				if i >= servers {
					c.Client, c.Bootstrap = true, []string{net.Links.Addr(0).String() + "/p2p/" + net.Nodes[0].PeerID().String()}
				}
			},
		})
		for range clients {
			net.Start()
		}
		net.WaitReady()
		net.Pass(3 * time.Minute) // nobody is new any more
		reading := net.Nodes[servers : servers+readers]
		for range 4 {
			for _, x := range reading {
				readBirds(t, x)
			}
			net.Pass(time.Second)
		}
		net.Pass(90 * time.Second)
		net.Nodes[0].Trim(t.Context())
		net.Pass(time.Second)
		if got := net.Nodes[0].Status().Peers; got >= servers+clients-1 {
			t.Errorf("nothing was closed: %d connections", got)
		}
		for _, x := range reading {
			if !net.Nodes[0].Connected(x.PeerID()) {
				t.Errorf("the connection of reader %d was closed", x.Index)
			}
		}
	})
}

func readBirds(t *testing.T, x *nodetest.Node) {
	t.Helper()
	for _, err := range x.Timeline(t.Context(), node.TagSource("birds"), node.Range{Limit: 10}) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

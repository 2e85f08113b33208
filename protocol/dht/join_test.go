package dht_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

// Nodes that start at the same moment know their neighbours within seconds, and
// everybody finds everybody who is responsible for a place.
func TestRun_manyAtOnce(t *testing.T) {
	for _, c := range []struct{ nodes, k int }{{2, 4}, {7, 4}, {20, 4}, {60, 16}, {100, 4}} {
		t.Run(fmt.Sprintf("%d nodes k %d", c.nodes, c.k), func(t *testing.T) {
			inBubble(t, records.Params{Neighbourhood: c.k}, func(n *testNet) {
				n.grow(c.nodes)
				took := n.eventually(60*time.Second, n.settled)
				s := n.servers()[0].Status()
				t.Logf("settled after %s: %+v", took, s)
				took = n.eventually(60*time.Second, func() error { return n.membersEverywhere(100) })
				t.Logf("members right after %s more; %+v", took, n.links.Stats())
			})
		})
	}
}

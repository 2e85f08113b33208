package node_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
)

// A node that died and starts again while the only one that it was told to join through is
// away joins by those that it met before.
func TestRestart_seedsAreAway(t *testing.T) {
	const last = 6
	tune := func(i int, c *node.Config) { c.Bootstrap = c.Bootstrap[:min(i, 1)] }
	simulate(t, nodetest.Config{Nodes: last + 1, Links: nodetest.LinksConfig{Seed: 95}, Tune: tune}, func(ctx context.Context, net *nodetest.Network) {
		net.Pass(3 * time.Minute) // a crash forgets the last two
		net.Kill(0, last)
		publish(ctx, t, net.Nodes[1], node.Draft{Text: "without you #sky"})
		x := net.Restart(last)
		net.WaitReady()
		if got := texts(ctx, t, x, node.TagSource("sky"), 5); !slices.Equal(got, []string{"without you #sky"}) {
			t.Errorf("reads %q", got)
		}
	})
}

package node_test

import (
	"context"
	"slices"
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
)

// What a node tells others is not what it reads itself: where everybody says that
// nothing is there, each still finds what it keeps.
func TestServe_ownStoreStaysTrue(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 4, Links: nodetest.LinksConfig{Seed: 20}}, func(ctx context.Context, net *nodetest.Network) {
		for _, x := range net.Nodes {
			x.Lie(nodetest.Empty())
		}
		publish(ctx, t, net.Nodes[0], node.Draft{Text: "hello #sky"})
		for _, x := range net.Nodes {
			if got := texts(ctx, t, x, node.TagSource("sky"), 50); !slices.Equal(got, []string{"hello #sky"}) {
				t.Errorf("node %d reads %q of what it keeps", x.Index, got)
			}
		}
	})
}

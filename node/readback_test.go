package node_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// Who acknowledges everything and keeps nothing may be the majority of a place. Where a
// bucket is full, its honest members show that more stands below: there goes what the
// others only said they had, and everybody reads it.
func TestReadBack_goesOnBelow(t *testing.T) {
	const nodes, honest, posts = 8, 3, 40
	network := shallow(t, nodes, 4)
	simulate(t, nodetest.Config{Nodes: nodes, Network: network, Links: nodetest.LinksConfig{Seed: 49}}, func(ctx context.Context, net *nodetest.Network) {
		for _, x := range net.Nodes[honest:] {
			x.Lie(nodetest.Lies(nodetest.Swallow(), nodetest.Empty()))
		}
		began := time.Now().Add(-posts * time.Minute)
		var want []string
		for i := range posts {
			r := sealed(ctx, t, network, i, records.MillisOf(began.Add(time.Duration(i)*time.Minute)), i, records.PostHead{Tags: []records.Tag{"sky"}})
			receipt, err := net.Nodes[i%honest].PublishRecord(ctx, r, nil)
			if err != nil {
				t.Fatalf("post %d: %v: %+v", i, err, receipt.Places)
			}
			want = append(want, fmt.Sprint(i))
		}
		slices.Reverse(want)
		for _, x := range net.Nodes[:honest] {
			if got := texts(ctx, t, x, node.TagSource("sky"), 50); !slices.Equal(got, want) {
				t.Errorf("node %d reads %q", x.Index, got)
			}
		}
	})
}

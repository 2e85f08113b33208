package node_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
)

// Of a place's members those are asked first for what they hold that answer soonest: two
// are 10 ms away and the others 200 ms, and of registers that lie nearest to two of these a
// reader has the first version in the time of the two. Who holds them does not change.
func TestRegister_nearMembersShowIt(t *testing.T) {
	const (
		servers, near, reader = 10, 2, 10
		there, far            = 10 * time.Millisecond, 200 * time.Millisecond
		registers             = 5
	)
	c := nodetest.Config{
		Nodes: servers + 1, Network: shallow(t, 16, 64), Keys: 96, Links: nodetest.LinksConfig{Seed: 96},
		Tune: func(i int, c *node.Config) { c.Client = i == reader },
	}
	simulate(t, c, func(ctx context.Context, net *nodetest.Network) {
		net.Links.Shape(func(from, to int) nodetest.Link {
			switch {
			case from != reader && to != reader:
				return nodetest.Link{Latency: 20 * time.Millisecond}
			case min(from, to) < near:
				return nodetest.Link{Latency: there}
			default:
				return nodetest.Link{Latency: far}
			}
		})
		net.Pass(time.Minute) // until the reader has asked everybody
		var took []time.Duration
		for i := 0; len(took) < registers; i++ {
			id := service(net.Nodes[1], fmt.Sprint("near-", i))
			ring := slices.Clone(net.Nodes[:servers])
			sortByDistance(ring, id.Place().Coordinate())
			if min(ring[0].Index, ring[1].Index) < near {
				continue
			}
			putRegister(ctx, t, net.Nodes[1], id.Name, node.RegisterDraft{Value: []byte("here")})
			began := time.Now()
			if _, err := net.Nodes[reader].ReadRegister(ctx, id, true); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
			net.Pass(time.Second)
			for _, x := range net.Nodes[:servers] {
				if n, err := x.Stored(id.Place()); n != 1 || err != nil {
					t.Errorf("node %d holds %d versions, %v", x.Index, n, err)
				}
			}
		}
		slices.Sort(took)
		t.Logf("first versions after %s", took)
		if median := took[registers/2]; median > 4*there {
			t.Errorf("half of the first versions take more than %s, although members answer within %s", median, 2*there)
		}
	})
}

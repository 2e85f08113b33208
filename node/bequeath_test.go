package node_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// All who hold a place are on one side of a partition, and somebody on the other posts
// there. Those beside them hold it then, and hand it on once the network is whole.
func TestBequeath_partition(t *testing.T) {
	network := shallow(t, 4, 8)
	simulate(t, nodetest.Config{Nodes: 20, Network: network, Keys: 7, Links: nodetest.LinksConfig{Seed: 57}}, func(ctx context.Context, net *nodetest.Network) {
		ctx = context.WithoutCancel(ctx) // this takes longer than others
		net.Settle()
		first := net.Nodes[0]
		prefix := first.Status().Prefix
		if prefix < 2 {
			t.Fatalf("the network is too small for this: a prefix of %d bits", prefix)
		}
		var members, others []int
		for _, x := range net.Nodes {
			if first.Holds(x) {
				members = append(members, x.Index)
			} else {
				others = append(others, x.Index)
			}
		}
		s := newScribe(t, network, 1)
		self := sha256.Sum256([]byte(first.PeerID()))
		var tag records.Tag
		for i := 0; ; i++ {
			tag = records.Tag(fmt.Sprint("tag", i))
			at := records.TagPlace(tag).At(records.LevelMonth, s.post(time.Now(), "where", tag)).Coordinate()
			if records.Coordinate(self).SharedBits(at) >= prefix {
				break
			}
		}
		net.Links.Partition(members, others)
		net.Pass(6 * time.Minute)
		writer := net.Nodes[others[0]]
		var rs []*records.Record
		for i := range 3 {
			r := s.post(time.Now(), fmt.Sprint("said meanwhile ", i), tag)
			write(ctx, t, writer, r, nil)
			rs = append(rs, r)
		}
		net.Links.Heal()
		net.Pass(12 * time.Minute)
		checkTree(t, net, rs)
		for _, i := range members {
			if got := texts(ctx, t, net.Nodes[i], node.TagSource(tag), 50); len(got) != len(rs) {
				t.Errorf("node %d reads %q", i, got)
			}
		}
	})
}

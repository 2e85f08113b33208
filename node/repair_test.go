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

// A member that was cut off while others published has everything again once
// somebody has read it.
func TestRepair_byReading(t *testing.T) {
	network := shallow(t, 8, 3)
	simulate(t, nodetest.Config{Nodes: 8, Network: network, Links: nodetest.LinksConfig{Seed: 41}}, func(ctx context.Context, net *nodetest.Network) {
		s := newScribe(t, network, 1)
		start := time.Now().Add(-20 * time.Hour)
		var rs []*records.Record
		post := func(i int) *records.Record {
			r := s.post(start.Add(time.Duration(i)*time.Hour), fmt.Sprint(i), "sky")
			rs = append(rs, r)
			write(ctx, t, net.Nodes[0], r, nil)
			return r
		}
		for i := range 5 {
			post(i)
		}
		deleted := post(5)
		net.Links.Partition([]int{0, 1, 2, 3, 4, 5, 6}, []int{7})
		for i := range 10 {
			post(10 + i)
		}
		gone := s.remove(deleted)
		write(ctx, t, net.Nodes[0], gone, deleted)
		rs = append(rs, gone)
		net.Pass(2 * time.Minute) // nothing is under way to it any more
		net.Links.Heal()
		net.Pass(2 * time.Minute) // it has been found again
		if len(net.Audit(rs)) == 0 {
			t.Fatal("the node that was cut off lacks nothing, so there is nothing to repair")
		}
		for _, x := range net.Nodes[2:5] { // an answer may come too late to be heard, so one reader may not see all
			for _, source := range []node.Source{node.TagSource("sky"), node.UserSource(s.key.User())} {
				if got := texts(ctx, t, x, source, 50); len(got) != 16 {
					t.Errorf("node %d reads %d posts of %s: %q", x.Index, len(got), source, got)
				}
			}
		}
		net.Pass(10 * time.Second)
		for _, d := range net.Audit(rs) {
			t.Error(d)
		}
		if got := texts(ctx, t, net.Nodes[7], node.TagSource("sky"), 50); !slices.Contains(got, "19") {
			t.Errorf("node 7 reads %q", got)
		}
	})
}

// Repair is no lever: one who denies again and again what it is given gets it once a
// minute, and no more a second than is set.
func TestRepair_bounded(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 6, Links: nodetest.LinksConfig{Seed: 42}}, func(ctx context.Context, net *nodetest.Network) {
		for i := range 20 {
			publish(ctx, t, net.Nodes[0], node.Draft{Text: fmt.Sprintf("post %d #sky", i)})
		}
		read := func() {
			for range 20 {
				texts(ctx, t, net.Nodes[1], node.TagSource("sky"), 50)
			}
		}
		net.Nodes[5].Lie(nodetest.Empty())
		read()
		net.Pass(time.Second)
		before := net.Links.Sent(1, 5).Bytes
		read()
		net.Pass(time.Second)
		if sent := net.Links.Sent(1, 5).Bytes - before; sent > 40_000 {
			t.Errorf("twenty reads send %d bytes to one who denies everything", sent)
		}
	})
}

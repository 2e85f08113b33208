package node_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// A member that lost a tree has it again once others have read it.
func TestRepair_byReading(t *testing.T) {
	network := shallow(t, 8, 3)
	tune := func(_ int, c *node.Config) { c.HealInterval = 24 * time.Hour }
	simulate(t, nodetest.Config{Nodes: 8, Network: network, Links: nodetest.LinksConfig{Seed: 41}, Tune: tune}, func(ctx context.Context, net *nodetest.Network) {
		s := newScribe(t, network, 1)
		start := time.Now().Add(-20 * time.Hour)
		var rs []*records.Record
		for i := range 16 {
			r := s.post(start.Add(time.Duration(i)*time.Hour), fmt.Sprint(i), "sky")
			rs = append(rs, r)
		}
		gone := s.remove(rs[5])
		rs = append(rs, gone)
		net.Plant(ctx, rs)
		root := records.TagPlace("sky")
		if n, err := net.Nodes[7].Lose(ctx, root); n < 5 || err != nil || len(net.Audit(rs)) < n {
			t.Fatalf("%d places were lost, %v; %d differ", n, err, len(net.Audit(rs)))
		}
		for round := 0; round < 20 && len(net.Audit(rs)) > 0; round++ { // an answer may come too late to be heard, so one reader may not see all
			for _, x := range net.Nodes[2:5] {
				if got := texts(ctx, t, x, node.TagSource("sky"), 50); len(got) != 16 {
					t.Errorf("node %d reads %d posts: %q", x.Index, len(got), got)
				}
			}
			net.Pass(100 * time.Millisecond) // in all, healing would take longer
		}
		for _, d := range net.Audit(rs) {
			t.Error(d)
		}
	})
}

// The member that is nearest to a register has lost it. One who is no member reads it once,
// and it is there again, although members would compare only a day later.
func TestRepair_closestCopy(t *testing.T) {
	tune := func(_ int, c *node.Config) { c.HealInterval = 24 * time.Hour }
	simulate(t, nodetest.Config{Nodes: 14, Network: shallow(t, 3, 64), Links: nodetest.LinksConfig{Seed: 43}, Keys: 44, Tune: tune}, func(ctx context.Context, net *nodetest.Network) {
		owner := net.Nodes[0]
		id := service(owner, "lost")
		putRegister(ctx, t, owner, id.Name, node.RegisterDraft{Value: []byte("here")})
		net.Pass(time.Minute)
		var members, others []*nodetest.Node
		for _, x := range net.Nodes {
			if x.Member(id.Place()) {
				members = append(members, x)
			} else {
				others = append(others, x)
			}
		}
		if len(members) < 4 || len(others) == 0 {
			t.Fatalf("%d members and %d others: the test shows nothing", len(members), len(others))
		}
		sortByDistance(members, id.Place().Coordinate())
		nearest := members[0]
		holds := func() int {
			t.Helper()
			n, err := nearest.Stored(id.Place())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n, err := nearest.Lose(ctx, id.Place()); n != 1 || err != nil {
			t.Fatalf("lost %d places, %v", n, err)
		}
		if net.Pass(3 * time.Minute); holds() != 0 {
			t.Fatal("the copy is back without a reader: the test shows nothing")
		}
		if got := value(ctx, t, others[0], id); got != "here" {
			t.Errorf("reads %q", got)
		}
		if net.Pass(5 * time.Second); holds() != 1 {
			t.Error("one read does not bring back the nearest copy")
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

package node_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// A backup is restored on a second machine while the first goes on: one node key and
// one person, live twice. Others take the two for one member and reach either of them.
// What both publish everybody reads; what one edits the other edits further, and all show
// the same; what one deletes stays deleted, though the other had edited it; and each of
// the two comes to hold all that a member should. Both are told that there are two.
func TestTwins_loseNothing(t *testing.T) {
	const number = 2
	var first node.Config
	c := nodetest.Config{Nodes: 6, Links: nodetest.LinksConfig{Seed: 95}, Tune: func(i int, c *node.Config) {
		switch c.HealInterval = 2 * time.Minute; i {
		case number:
			first = *c
		case 6:
			c.Identity, c.Person = first.Identity, first.Person
		}
	}}
	simulate(t, c, func(ctx context.Context, net *nodetest.Network) {
		one := net.Nodes[number]
		both := publish(ctx, t, one, node.Draft{Text: "first draft #sky"})
		gone := publish(ctx, t, one, node.Draft{Text: "to be deleted #sky"})
		net.Pass(time.Minute)
		two := net.Start()
		net.WaitReady()
		net.Pass(time.Minute)
		if one.PeerID() != two.PeerID() || one.User() != two.User() {
			t.Fatal("these are no twins")
		}

		rs := []*records.Record{
			publish(ctx, t, one, node.Draft{Text: "by one #sky"}),
			publish(ctx, t, two, node.Draft{Text: "by the other #sky"}),
		}
		last := edit(ctx, t, two, edit(ctx, t, one, both, "edited by one #sky"), "and by the other #sky")
		edit(ctx, t, two, gone, "kept by the other #sky")
		tombstone, err := one.Delete(ctx, gone.Ref())
		if err != nil {
			t.Fatal(err)
		}
		net.Pass(5 * time.Minute)

		for _, x := range net.Nodes {
			if got, want := texts(ctx, t, x, node.TagSource("sky"), 10), []string{"by the other #sky", "by one #sky", "", "and by the other #sky"}; !slices.Equal(got, want) {
				t.Errorf("node %d reads %q, want %q", x.Index, got, want)
			}
		}
		mustHold(t, net, append(rs, last, tombstone.Record))
		for _, x := range net.Nodes {
			if told, want := x.Status().Twin, x == one || x == two; told != want {
				t.Errorf("node %d says that it has a twin: %t, want %t", x.Index, told, want)
			}
		}
	})
}

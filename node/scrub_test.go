package node_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// applause is reactions to a few posts, so few that all of them stand at the roots,
// which holders do not read when they look after their places.
func applause(t *testing.T, n records.Network) (rs []*records.Record) {
	t.Helper()
	at := records.MillisOf(time.Now())
	for i := range 12 {
		to := newScribe(t, n, 0).post(time.Now().Add(-time.Duration(i)*time.Hour), "well said").Ref()
		for by := range byte(6) {
			head := records.ReactionHead{Target: to, Class: 1}
			rs = append(rs, newScribe(t, n, 1+by).seal(records.Draft{Head: head, Created: at, Rev: records.RevAt(at), Body: []byte{}}, nil))
		}
	}
	return rs
}

// Disks of all nodes rot, in other records each, and nobody reads anything. Everything
// is whole again soon: what a node finds damaged it takes from its neighbours.
func TestScrub_healsTheUnread(t *testing.T) {
	network := shallow(t, 4, 8)
	tune := func(_ int, c *node.Config) { c.HealInterval, c.Scrub = time.Hour, 2*time.Minute }
	simulate(t, nodetest.Config{Nodes: 5, Network: network, Links: nodetest.LinksConfig{Seed: 94}, Tune: tune}, func(ctx context.Context, net *nodetest.Network) {
		rs := applause(t, network)
		net.Plant(ctx, rs)
		net.Pass(2 * time.Minute) // holders have told parents of what is new, and read it for that
		for i, x := range net.Nodes {
			if rotten := x.Disk.Rot(5 + i); rotten < 5 || x.Verify() == nil {
				t.Fatalf("%d records of node %d are rotten, and verifying it finds %v", rotten, i, x.Verify())
			}
		}
		if d := net.Audit(rs); len(d) > 0 {
			t.Fatalf("fingerprints show the damage: %s", d[0])
		}
		wrong := func() error {
			for _, x := range net.Nodes {
				if err := x.Verify(); err != nil {
					return fmt.Errorf("node %d: %w", x.Index, err)
				}
			}
			for _, d := range net.Audit(rs) {
				return errors.New(d)
			}
			return nil
		}
		for waited := time.Duration(0); wrong() != nil; waited += 10 * time.Second {
			if waited > 10*time.Minute { // a batch takes three at most, and comparing begins soon after
				t.Fatal(wrong())
			}
			net.Pass(10 * time.Second)
		}
	})
}

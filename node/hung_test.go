package node_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// While the member that is nearest to a register hangs, and the one that is furthest
// away, whoever looks for it for the first time has the first verified version in no more
// than twice the time that others took when all were well.
func TestRegister_firstVersionDespiteHungPeers(t *testing.T) {
	nodes := 24
	if smaller() {
		nodes = 16
	}
	simulate(t, nodetest.Config{Nodes: nodes, Links: nodetest.LinksConfig{Seed: 76}, Keys: 3}, func(ctx context.Context, net *nodetest.Network) {
		for i := range 4 {
			owner := net.Nodes[i]
			id := service(owner, fmt.Sprint("hung-", i))
			putRegister(ctx, t, owner, id.Name, node.RegisterDraft{Value: []byte("here")})
			var members, readers []*nodetest.Node
			for _, x := range net.Nodes {
				switch {
				case x.Member(id.Place()):
					members = append(members, x)
				case x != owner:
					readers = append(readers, x)
				}
			}
			sortByDistance(members, id.Place().Coordinate())
			slowest := func(readers []*nodetest.Node) (took time.Duration) {
				for _, x := range readers {
					began := time.Now()
					if r, err := x.ReadRegister(ctx, id, true); err != nil || r.Author() != owner.User() {
						t.Fatalf("node %d reads %v, %v", x.Index, r, err)
					}
					took = max(took, time.Since(began))
				}
				return took
			}
			well := slowest(readers[:len(readers)/2])
			hung := []int{members[0].Index, members[len(members)-1].Index}
			for _, x := range hung {
				net.Links.Pause(x)
			}
			ill := slowest(readers[len(readers)/2:])
			for _, x := range hung {
				net.Links.Resume(x)
			}
			t.Logf("%d members, %d readers: %s, and %s while two hang", len(members), len(readers), well, ill)
			if ill > 2*well {
				t.Errorf("register %d is read in %s while two members hang, and in %s when all are well", i, ill, well)
			}
		}
	})
}

// sortByDistance puts those first that stand nearest to a place.
func sortByDistance(nodes []*nodetest.Node, at records.Coordinate) {
	distance := func(x *nodetest.Node) []byte {
		c := sha256.Sum256([]byte(x.PeerID()))
		for i := range c {
			c[i] ^= at[i]
		}
		return c[:]
	}
	slices.SortFunc(nodes, func(a, b *nodetest.Node) int { return bytes.Compare(distance(a), distance(b)) })
}

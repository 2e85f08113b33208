package dht_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// Who looked at a network while it was small finds those who have joined since, although
// what it found then is believed for minutes: else it would have a few old members
// acknowledge what everybody else looks for at others.
func TestMembers_grownSince(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		first := n.grow(20) // a survey of all of it is full
		n.eventually(time.Minute, n.settled)
		old, places := n.servers()[:3], make([]records.Coordinate, 8)
		for i := range places {
			places[i] = records.Coordinate{byte(i << 5)}
			for _, node := range old {
				if _, err := node.Members(t.Context(), places[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 8 {
			n.add(through(first))
		}
		n.eventually(time.Minute, n.settled)
		n.eventually(time.Minute, func() error {
			for _, c := range places {
				for _, node := range old {
					if err := n.foundBy(node, c); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

// foundBy tells whether a node finds all who share as many bits with a place as it takes
// its neighbourhood to.
func (n *testNet) foundBy(asker *testNode, c records.Coordinate) error {
	hood, err := asker.Members(n.Context(), c)
	if err != nil {
		return fmt.Errorf("node %d: %w", asker.number, err)
	}
	found := map[peer.ID]bool{}
	for _, p := range hood.Peers {
		found[p] = true
	}
	for _, p := range n.region(c, hood.Bits) {
		if !found[p] {
			return fmt.Errorf("node %d finds %d members of %.8s by %d bits, not node %d", asker.number, len(hood.Peers), c, hood.Bits, n.nodes[p].number)
		}
	}
	return nil
}

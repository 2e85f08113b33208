package dht_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// A member that hangs, the farthest or the nearest of a place, or three nodes of ten
// that are gone, cost a lookup a fraction of what a question may take; and all others
// are found. (Campaign routing measures how long it is until the first post.)
func TestMembers_hungAndDead(t *testing.T) {
	for name, hurt := range map[string]func(n *testNet, asker *testNode, c records.Coordinate) (gone map[peer.ID]bool){
		"the farthest hangs": func(n *testNet, _ *testNode, c records.Coordinate) map[peer.ID]bool {
			return n.pause(n.truth(c).Peers[len(n.truth(c).Peers)-1])
		},
		"the nearest hangs": func(n *testNet, _ *testNode, c records.Coordinate) map[peer.ID]bool {
			return n.pause(n.truth(c).Peers[0])
		},
		"three of ten are gone": func(n *testNet, asker *testNode, _ records.Coordinate) map[peer.ID]bool {
			gone := map[peer.ID]bool{}
			servers := slices.DeleteFunc(n.servers(), func(s *testNode) bool { return s == asker })
			for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(servers))[:3*len(servers)/10] {
				gone[servers[i].host.ID()] = true
				n.kill(servers[i])
			}
			return gone
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
				n.grow(atMost(40))
				n.eventually(time.Minute, n.settled)
				asker := n.servers()[0]
				place := asker.at
				place[0] ^= 0xc0
				gone := hurt(n, asker, place)
				start := time.Now()
				got, err := asker.Members(t.Context(), place)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > dht.AskTimeout/2 {
					t.Errorf("took %s", took)
				}
				for _, p := range n.region(place, got.Bits) {
					if !gone[p] && !slices.Contains(got.Peers, p) {
						t.Errorf("a member that is well is missing")
					}
				}
			})
		})
	}
}

// pause lets a node hang.
func (n *testNet) pause(p peer.ID) (hung map[peer.ID]bool) {
	n.links.Pause(n.nodes[p].number)
	return map[peer.ID]bool{p: true}
}

// A member that answers late is left behind at first, and joins the others when it
// answers: nobody has to look for it again.
func TestMembers_lateOneJoins(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		n.grow(40) // so that the place is not in the surroundings that we know anyway
		n.eventually(time.Minute, n.settled)
		asker := n.servers()[0]
		place := asker.at
		place[0] ^= 0xc0
		slow := n.truth(place).Peers[0]
		number := n.nodes[slow].number
		n.links.Shape(func(from, to int) nodetest.Link {
			if from == number || to == number {
				return nodetest.Link{Latency: 600 * time.Millisecond}
			}
			return nodetest.Link{Latency: 20 * time.Millisecond}
		})
		first, err := asker.Members(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(first.Peers, slow) {
			t.Fatal("the slow one was waited for: the test shows nothing")
		}
		pass(2 * time.Second)
		later, err := asker.Members(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(later.Peers, slow) {
			t.Error("the slow one is missing although it answered")
		}
	})
}

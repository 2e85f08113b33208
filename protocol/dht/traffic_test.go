package dht_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// Lookups that somebody wants fill the table: a node that has lost all of its contacts
// but one knows everybody again after a hundred of them, between two rounds of its
// upkeep and without a refresh.
func TestMembers_fillTheTable(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 2}, func(t *testing.T, n *testNet) {
		first := n.grow(12)
		log := &questions{}
		watched := n.add(func(c *dht.Config) {
			through(first)(c)
			c.Host = watchedHost{c.Host, log}
		})
		n.eventually(time.Minute, n.settled)
		pass(10 * time.Minute) // rounds are rare by now
		rng := rand.New(rand.NewPCG(8, 8))
		lookups := func() (rounds int) {
			log.reset()
			watched.ForgetTable(first.host.ID())
			if got := len(watched.Table()); got != 1 {
				t.Fatalf("a table of %d that was emptied: the test shows nothing", got)
			}
			for range 100 {
				c := randomCoordinate(rng)
				watched.Doubt(c) // so that what was found before is looked for anew
				if _, err := watched.Members(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
			rounds, _ = log.reset().keys(watched.host.ID())
			return rounds
		}
		for tries := 1; lookups() > 0; tries++ { // its upkeep came in between
			if tries == 5 {
				t.Fatal("rounds are too frequent to tell what lookups alone do")
			}
		}
		if got, want := len(watched.Table()), len(n.nodes)-1; got != want {
			t.Errorf("a table of %d, want all %d", got, want)
		}
	})
}

// Who names a node at an address where somebody else is leads nobody astray: whoever
// answers there is not taken for the one that was named.
func TestSearch_forgedAddress(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		liar := n.add(nil)
		elsewhere := n.add(through(liar))
		n.eventually(time.Minute, n.settled)
		forged, err := peer.IDFromPrivateKey(keyOf(t, 1<<42))
		if err != nil {
			t.Fatal(err)
		}
		var asked atomic.Int64
		n.lie(liar, func([]byte) []*kadpb.Message_Peer {
			asked.Add(1)
			return []*kadpb.Message_Peer{{Id: []byte(forged), Addrs: [][]byte{elsewhere.host.Addrs()[0].Bytes()}}}
		})
		late := n.add(through(liar))
		n.eventually(time.Minute, func() error { return unless(isClosed(late.Ready()), "not ready") })
		hood, err := late.Members(t.Context(), dht.CoordinateOf(forged))
		if err != nil {
			t.Fatal(err)
		}
		if asked.Load() == 0 || len(late.host.Peerstore().Addrs(forged)) == 0 {
			t.Fatal("the forged address was not heard of: the test shows nothing")
		}
		if slices.Contains(hood.Peers, forged) || slices.Contains(late.Table(), forged) || late.host.Network().Connectedness(forged) == network.Connected {
			t.Errorf("who answers at the forged address is taken for the one that was named: %v", hood.Peers)
		}
	})
}

// bucketsFilled tells whether a node knows somebody in each bucket that is not empty.
func (n *testNet) bucketsFilled(node *testNode) error {
	filled := map[int]bool{}
	for _, p := range node.Table() {
		filled[node.at.SharedBits(dht.CoordinateOf(p))] = true
	}
	for _, other := range n.servers() {
		if shared := node.at.SharedBits(other.at); other != node && !filled[shared] {
			return fmt.Errorf("node %d knows nobody who shares %d bits with it", node.number, shared)
		}
	}
	return nil
}

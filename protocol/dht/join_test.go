package dht_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

// Nodes that start at the same moment know their neighbours within seconds, and
// everybody finds everybody who is responsible for a place.
func TestRun_manyAtOnce(t *testing.T) {
	for _, c := range []struct{ nodes, k int }{{2, 4}, {7, 4}, {20, 4}, {60, 16}, {100, 4}} {
		if testing.Short() && c.nodes > 20 {
			continue
		}
		t.Run(fmt.Sprintf("%d nodes k %d", c.nodes, c.k), func(t *testing.T) {
			inBubble(t, records.Params{Neighbourhood: c.k}, func(t *testing.T, n *testNet) {
				n.grow(c.nodes)
				took := n.eventually(time.Minute, n.settled)
				t.Logf("settled after %s, links carried %+v", took, n.links.Stats())
				n.eventually(time.Minute, func() error { return n.membersEverywhere(100) })
				t.Logf("the last to join: %+v", n.servers()[c.nodes-1].Status())
			})
		})
	}
}

// Where everybody holds everything, nobody has to be looked for.
func TestMembers_smallNetworkNeedsNoSearch(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 16}, func(t *testing.T, n *testNet) {
		n.grow(12)
		n.eventually(time.Minute, n.settled)
		pass(30 * time.Minute)
		asker := n.servers()[5]
		before := asker.Status()
		if err := n.membersEverywhere(100); err != nil {
			t.Error(err)
		}
		if after := asker.Status(); after.Searches != before.Searches {
			t.Errorf("%d searches for the members of random places", after.Searches-before.Searches)
		}
	})
}

// A node that joins a network later is known to its neighbours within seconds, and knows
// somebody in every bucket once it is ready. So it is when it comes back with the same key
// after it was gone, at another address.
func TestRun_latecomer(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		first := n.grow(atMost(20))
		n.eventually(time.Minute, n.settled)
		pass(10 * time.Minute) // rounds are rare by now
		late := n.add(through(first))
		<-late.Ready()
		if err := n.bucketsFilled(late); err != nil {
			t.Error(err)
		}
		t.Logf("known after %s", n.eventually(30*time.Second, n.settled))
		was := late.host.Addrs()[0]
		n.stop(late)
		t.Logf("missed after %s", n.eventually(5*time.Minute, n.settled))
		const moved = 200 // where it comes back
		h, err := n.links.Host(moved, keyOf(t, late.number))
		if err != nil {
			t.Fatal(err)
		}
		if again := n.run(h, moved, through(first)); again.host.ID() != late.host.ID() || again.host.Addrs()[0].Equal(was) {
			t.Fatal("it is another node, or has not moved: the test shows nothing")
		}
		t.Logf("known again after %s", n.eventually(time.Minute, n.settled))
	})
}

// At rest a node asks little: this is what a network of 25 (13 with -short) costs each of its nodes
// in half an hour.
func TestRun_costAtRest(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		n.grow(atMost(25))
		n.eventually(time.Minute, n.settled)
		pass(10 * time.Minute)
		node := n.servers()[7]
		before, sent := node.Status(), n.links.SentBy(node.number)
		pass(30 * time.Minute)
		after := node.Status()
		finds, pings := after.Finds-before.Finds, after.Pings-before.Pings
		t.Logf("in half an hour: %d searches, %d finds, %d pings, %d bytes sent",
			after.Searches-before.Searches, finds, pings, n.links.SentBy(node.number).Bytes-sent.Bytes)
		if finds > 1000 || pings > 1000 {
			t.Errorf("%d finds and %d pings in half an hour at rest", finds, pings)
		}
		if err := n.settled(); err != nil {
			t.Error(err)
		}
	})
}

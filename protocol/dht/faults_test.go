package dht_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// everyThird splits nodes.
func everyThird(nodes []*testNode) (third, rest []*testNode) {
	for i, node := range nodes {
		if i%3 == 1 {
			third = append(third, node)
		} else {
			rest = append(rest, node)
		}
	}
	return third, rest
}

// A third of the network dies at once. Whoever meets dead members and says so gets
// the living ones instead; a little later all have noticed.
func TestMembers_killedThird(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		all := atMost(45)
		n.grow(all)
		n.eventually(time.Minute, n.settled)
		asker := n.servers()[0]
		place := asker.at
		place[0] ^= 0x80 // far from it
		before, err := asker.Members(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		victims, _ := everyThird(n.servers())
		n.kill(victims...)
		if !slices.ContainsFunc(before.Peers, func(p peer.ID) bool { return n.nodes[p] == nil }) {
			t.Fatal("the place lost no member: the test shows nothing")
		}
		start := time.Now()
		after, err := n.livingMembers(asker, place)
		if err != nil {
			t.Fatal(err)
		}
		if living := n.region(place, after.Bits); !slices.Equal(after.Peers, living) {
			t.Errorf("found %d living members of %d bits, want %d", len(after.Peers), after.Bits, len(living))
		}
		t.Logf("%d members before, %d after %s of asking again", len(before.Peers), len(after.Peers), time.Since(start))
		took := n.eventually(5*time.Minute, n.settled)
		t.Logf("%d of %d died; all noticed after %s", len(victims), all, took)
		n.eventually(10*time.Minute, func() error { return n.membersEverywhere(60) })
	})
}

// As the network shrinks below twice K, everybody holds everything again.
func TestPrefix_fallsWithTheNetwork(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		n.grow(20)
		n.eventually(time.Minute, n.settled)
		watcher := n.servers()[0]
		if watcher.Prefix() == 0 {
			t.Fatal("prefix is 0 among 20 nodes with K 4")
		}
		drain(watcher.Changed())
		n.kill(n.servers()[6:]...)
		n.eventually(5*time.Minute, func() error {
			for _, node := range n.servers() {
				if p := node.Prefix(); p != 0 {
					return fmt.Errorf("node %d still has prefix %d", node.number, p)
				}
			}
			return n.settled()
		})
		select {
		case <-watcher.Changed():
		default:
			t.Error("nobody was told that the neighbourhood changed")
		}
		if !watcher.Holds(records.Coordinate{}) || !watcher.Holds(records.Coordinate{0xff}) {
			t.Error("a node of a small network does not hold everything")
		}
	})
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// The last node of a network is all of it: it says so within seconds and without
// an error in between.
func TestMembers_lastSurvivor(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		first := n.grow(3)
		n.eventually(time.Minute, n.settled)
		survivor := n.servers()[1]
		n.kill(first, n.servers()[2])
		n.eventually(2*time.Minute, func() error {
			got, err := survivor.Members(t.Context(), records.Coordinate{})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range got.Peers {
				if p != survivor.host.ID() {
					survivor.Forget(p)
				}
			}
			if len(got.Peers) != 1 {
				return fmt.Errorf("%d members", len(got.Peers))
			}
			return nil
		})
	})
}

// A member that hangs costs a search its patience once, and is not found.
func TestMembers_hungNode(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		n.grow(atMost(40))
		n.eventually(time.Minute, n.settled)
		asker := n.servers()[0]
		place := asker.at
		place[0] ^= 0xc0
		hung := n.region(place, 0)[0]
		n.links.Pause(n.nodes[hung].number)
		start := time.Now()
		got, err := asker.Members(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		if took > dht.AskTimeout+2*time.Second {
			t.Errorf("took %s", took)
		}
		if slices.Contains(got.Peers, hung) && took > 0 {
			t.Error("found the node that hangs")
		}
	})
}

// Two halves that were cut apart long enough to forget each other find together.
func TestRun_cutAndHealed(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		n.grow(20)
		n.eventually(time.Minute, n.settled)
		all := n.nodes
		here, there := map[peer.ID]*testNode{}, map[peer.ID]*testNode{}
		var cut []int
		for i, node := range n.servers() {
			if i%2 == 0 {
				here[node.host.ID()] = node
			} else {
				there[node.host.ID()] = node
				cut = append(cut, node.number)
			}
		}
		n.links.Partition(cut)
		for name, half := range map[string]map[peer.ID]*testNode{"here": here, "there": there} {
			n.nodes = half
			t.Logf("%s settled after %s", name, n.eventually(10*time.Minute, n.settled))
		}
		n.nodes = all
		n.links.Heal()
		t.Logf("whole again after %s", n.eventually(15*time.Minute, n.settled))
		n.eventually(10*time.Minute, func() error { return n.membersEverywhere(30) })
	})
}

// Loss slows but does not hinder.
func TestRun_lossyLinks(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		n.links.Shape(func(int, int) nodetest.Link {
			return nodetest.Link{Latency: 50 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.03}
		})
		n.grow(20)
		t.Logf("settled after %s", n.eventually(5*time.Minute, n.settled))
		n.eventually(5*time.Minute, func() error { return n.membersEverywhere(20) })
	})
}

// Where three of ten packets are lost, a network forms none the less, and lookups find
// most members of a place.
func TestMembers_thirdOfPacketsLost(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		n.links.Shape(func(int, int) nodetest.Link {
			return nodetest.Link{Latency: 50 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.3}
		})
		n.grow(16)
		pass(3 * time.Minute)
		rng := rand.New(rand.NewPCG(3, 3))
		found, there, empty := 0, 0, 0
		for range 40 {
			c, asker := randomCoordinate(rng), n.servers()[rng.IntN(16)]
			hood, err := asker.Members(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			here := n.region(c, hood.Bits)
			there += len(here)
			missing := len(slices.DeleteFunc(here, func(p peer.ID) bool { return slices.Contains(hood.Peers, p) }))
			if found += len(here) - missing; missing == len(here) {
				empty++
			}
		}
		t.Logf("found %d of %d members, of %d places nobody", found, there, empty)
		if 4*found < 3*there || empty > 0 {
			t.Errorf("found %d of %d members, of %d places nobody", found, there, empty)
		}
	})
}

// A node that cannot reach its network is not ready, does not take itself for the
// whole of it, and joins when it can.
func TestReady_waitsForTheNetwork(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		first := n.add(nil)
		if !isClosed(first.Ready()) {
			n.eventually(time.Second, func() error { return unless(isClosed(first.Ready()), "alone and not ready") })
		}
		n.links.Pause(first.number)
		second := n.add(through(first))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if got, err := second.Members(ctx, records.Coordinate{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without its network: got %v, %v", got, err)
		}
		if isClosed(second.Ready()) {
			t.Error("ready without its network")
		}
		n.links.Resume(first.number)
		took := n.eventually(time.Minute, func() error { return unless(isClosed(second.Ready()), "not ready") })
		t.Logf("joined %s after the network was back", took)
		if got, err := second.Members(t.Context(), records.Coordinate{}); err != nil || len(got.Peers) != 2 {
			t.Errorf("in the network: got %v, %v", got, err)
		}
	})
}

// Nodes that are only remembered do not keep one from beginning alone.
func TestReady_rememberedAreGone(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		gone := n.add(nil)
		n.kill(gone)
		node := n.add(func(c *dht.Config) {
			through(gone)(c)
			c.Bootstrap, c.Remembered = nil, c.Bootstrap
		})
		if isClosed(node.Ready()) {
			t.Error("ready before anybody was tried")
		}
		took := n.eventually(10*time.Second, func() error { return unless(isClosed(node.Ready()), "not ready") })
		t.Logf("began alone after %s", took)
		if got, err := node.Members(t.Context(), records.Coordinate{}); err != nil || len(got.Peers) != 1 {
			t.Errorf("alone: got %v, %v", got, err)
		}
	})
}

// Of the nodes to join through one is dead, one has another key by now, and one may not
// serve: they alone make no network, and together with a good one they do no harm.
func TestReady_badEntries(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4, PuzzleBits: 2}, func(t *testing.T, n *testNet) {
		first := n.grow(6)
		n.eventually(time.Minute, n.settled)
		gone := n.add(through(first))
		n.kill(gone)
		client := n.addNumber(solving(t, n.net, 500, false), through(first))
		before, err := peer.IDFromPrivateKey(keyOf(t, solving(t, n.net, 600, true)))
		if err != nil {
			t.Fatal(err)
		}
		bad := []peer.AddrInfo{
			{ID: gone.host.ID(), Addrs: gone.host.Addrs()},
			{ID: before, Addrs: n.servers()[1].host.Addrs()},
			{ID: client.host.ID(), Addrs: client.host.Addrs()},
		}
		lost := n.add(func(c *dht.Config) { c.Bootstrap = bad })
		pass(30 * time.Second)
		if isClosed(lost.Ready()) || len(lost.Table()) > 0 {
			t.Errorf("ready through entries that are all bad, with a table of %d", len(lost.Table()))
		}
		n.stop(lost)
		n.eventually(time.Minute, n.settled)
		joined := n.add(func(c *dht.Config) {
			through(first)(c)
			c.Bootstrap = slices.Concat(bad, c.Bootstrap)
		})
		n.eventually(30*time.Second, n.settled)
		if got := len(joined.Table()); got != 6 {
			t.Errorf("a table of %d, want 6", got)
		}
	})
}

// A node that starts again while all nodes to join through are away joins by those that
// it remembers.
func TestReady_seedsAreAway(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		seed := n.grow(6)
		n.eventually(time.Minute, n.settled)
		n.kill(seed)
		node := n.add(func(c *dht.Config) {
			for _, s := range n.servers() {
				c.Remembered = append(c.Remembered, peer.AddrInfo{ID: s.host.ID(), Addrs: s.host.Addrs()})
			}
			through(seed)(c)
		})
		took := n.eventually(30*time.Second, func() error { return unless(isClosed(node.Ready()), "not ready") })
		t.Logf("ready after %s", took)
		n.eventually(5*time.Minute, n.settled)
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func unless(ok bool, complaint string) error {
	if ok {
		return nil
	}
	return errors.New(complaint)
}

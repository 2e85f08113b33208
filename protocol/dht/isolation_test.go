package dht_test

import (
	"fmt"
	"testing"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// Clients, and nodes whose ids do not solve the puzzle, find everybody and are
// found by nobody, although the latter ask to serve.
func TestRun_onlySolversThatServeAreFound(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4, PuzzleBits: 2}, func(t *testing.T, n *testNet) {
		first := n.grow(14)
		var others []*testNode
		for range 4 {
			others = append(others, n.add(func(c *dht.Config) { through(first)(c); c.Server = false }))
			others = append(others, n.addNumber(solving(t, n.net, n.next, false), through(first)))
		}
		for _, o := range others {
			if o.Server() {
				t.Fatalf("node %d serves", o.number)
			}
		}
		n.eventually(time.Minute, n.settled)
		n.eventually(time.Minute, func() error { return n.membersEverywhere(50) })
		for _, node := range n.servers() {
			if s := node.Status(); s.Table != 13 || s.Size != 14 {
				t.Errorf("node %d: table of %d in a network of %.0f, want 13 of 14", node.number, s.Table, s.Size)
			}
		}
		for _, o := range others {
			place := o.at // where it would be the nearest of all
			got, err := o.Members(t.Context(), place)
			if err != nil {
				t.Fatalf("node %d: %v", o.number, err)
			}
			if want := n.truth(place); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("node %d: got %v, want %v", o.number, got, want)
			}
			if o.Holds(place) {
				t.Errorf("node %d holds a place", o.number)
			}
		}
	})
}

// Networks whose nodes know and even host each other never mix.
func TestRun_networksOnSharedWires(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, one *testNet) {
		other := newTestNet(t, "other", records.Params{Neighbourhood: 4}, one.links)
		other.next = 100
		first, second := one.grow(atMost(12)), other.grow(atMost(12))
		for _, node := range one.servers()[:4] { // these hosts are in both networks
			other.run(node.host, node.number, through(second)).shared = true
		}
		for i := range 4 { // and these believe to join through a node of another one
			other.add(through(one.servers()[i], second))
			one.add(through(other.servers()[i], first))
		}
		for _, n := range []*testNet{one, other} {
			n.eventually(time.Minute, n.settled)
			n.eventually(time.Minute, func() error { return n.membersEverywhere(40) })
			for _, node := range n.servers() {
				if s := node.Status(); s.Table != len(n.nodes)-1 {
					t.Errorf("%s, node %d: table of %d, want %d", n.net, node.number, s.Table, len(n.nodes)-1)
				}
			}
		}
	})
}

// A node passes on only those addresses of others that the filter keeps, although
// it knows them all.
func TestConfig_addressesAreNotPassedOn(t *testing.T) {
	private := ma.StringCast("/ip4/192.168.7.7/tcp/4001")
	for name, c := range map[string]struct {
		keep func([]ma.Multiaddr) []ma.Multiaddr
		want bool
	}{"by default": {nil, false}, "when asked": {dht.AllAddresses, true}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
				filter := func(cfg *dht.Config) { cfg.Addresses = c.keep }
				asked := n.add(filter)
				named := n.add(func(cfg *dht.Config) { through(asked)(cfg); filter(cfg) })
				n.eventually(time.Minute, n.settled)
				// As identify learns it where the two share a house.
				asked.host.Peerstore().AddAddr(named.host.ID(), private, time.Hour)
				told := addressesTold(t, n, asked, named.host.ID())
				if len(told) == 0 {
					t.Fatal("the node was not named")
				}
				if got := ma.Contains(told, private); got != c.want {
					t.Errorf("private address told: %v, want %v", got, c.want)
				}
			})
		})
	}
}

// addressesTold asks a node, as any client of the library may, for another one.
func addressesTold(t *testing.T, n *testNet, asked *testNode, about peer.ID) []ma.Multiaddr {
	t.Helper()
	h, err := n.links.Host(60, keyOf(t, 60))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(t, h)
	lib, err := kad.New(h, kad.Mode(kad.ModeClient), kad.DisableAutoRefresh(), kad.DisableProviders(), kad.DisableValues(),
		kad.ProtocolPrefix(protocol.KadPrefix(n.net)))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(t, lib)
	messages, err := kadpb.NewProtocolMessenger(lib.MessageSender())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(t.Context(), peer.AddrInfo{ID: asked.host.ID(), Addrs: asked.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
	infos, err := messages.GetClosestPeers(t.Context(), asked.host.ID(), about)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		if info.ID == about {
			return info.Addrs
		}
	}
	return nil
}

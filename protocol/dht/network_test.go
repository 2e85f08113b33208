package dht_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// testNode is a host with a DHT on it.
type testNode struct {
	*dht.DHT
	number int
	host   host.Host
	at     records.Coordinate
	end    context.CancelFunc
	over   chan error // what Run returned
	shared bool       // somebody else closes the host
}

// testNet is a network of nodes in virtual time. Nodes learn each other's
// prefixes directly, where a real node asks by exchange.
type testNet struct {
	testing.TB
	links *nodetest.Links
	net   records.Network
	nodes map[peer.ID]*testNode
	gone  []*testNode // killed ones, which still have to be closed
	next  int         // number of the next node
}

func newTestNet(tb testing.TB, name string, params records.Params, links *nodetest.Links) *testNet {
	tb.Helper()
	params.Capacity = 64
	network, err := records.NewNetwork(name, params)
	if err != nil {
		tb.Fatal(err)
	}
	n := &testNet{TB: tb, net: network, nodes: map[peer.ID]*testNode{}, links: links}
	tb.Cleanup(n.close)
	return n
}

// close ends all nodes; to be called inside the bubble.
func (n *testNet) close() {
	all := slices.Concat(slices.Collect(maps.Values(n.nodes)), n.gone)
	for _, node := range all {
		node.end()
	}
	for _, node := range all {
		n.stop(node)
	}
}

// stop ends a node and closes its host.
func (n *testNet) stop(node *testNode) {
	delete(n.nodes, node.host.ID())
	node.end()
	if err := <-node.over; err != nil {
		n.Errorf("node %d: %v", node.number, err)
	}
	if node.shared {
		return
	}
	if err := node.host.Close(); err != nil {
		n.Errorf("close host %d: %v", node.number, err)
	}
}

// kill takes nodes off the network without a goodbye.
func (n *testNet) kill(nodes ...*testNode) {
	for _, node := range nodes {
		n.links.Kill(node.number)
		delete(n.nodes, node.host.ID())
		n.gone = append(n.gone, node)
	}
}

// keyOf is a fixed key for every number.
func keyOf(tb testing.TB, number int) crypto.PrivKey {
	tb.Helper()
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("test node"), uint64(number)))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// solving is the first number from which on keyOf's id solves the puzzle.
func solving(tb testing.TB, network records.Network, number int, want bool) int {
	tb.Helper()
	for ; ; number++ {
		id, err := peer.IDFromPrivateKey(keyOf(tb, number))
		if err != nil {
			tb.Fatal(err)
		}
		if protocol.Solves(network, id) == want {
			return number
		}
	}
}

// add starts a host and a DHT on it, and runs it.
func (n *testNet) add(change func(*dht.Config)) *testNode {
	n.Helper()
	n.next = solving(n, n.net, n.next, true)
	return n.addNumber(n.next, change)
}

// addNumber does so with the key of the given number.
func (n *testNet) addNumber(number int, change func(*dht.Config)) *testNode {
	n.Helper()
	n.next = max(n.next, number+1)
	h, err := n.links.Host(number, keyOf(n, number))
	if err != nil {
		n.Fatal(err)
	}
	return n.run(h, number, change)
}

// run runs a DHT on a host.
func (n *testNet) run(h host.Host, number int, change func(*dht.Config)) *testNode {
	n.Helper()
	cfg := dht.Config{
		Host: h, Network: n.net, Server: true, Addresses: dht.AllAddresses,
		PrefixOf: func(_ context.Context, p peer.ID) (int, error) {
			if node := n.nodes[p]; node != nil {
				return node.Prefix(), nil
			}
			return 0, fmt.Errorf("node %s is gone", p)
		},
		Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	d, err := dht.New(cfg)
	if err != nil {
		n.Fatal(err)
	}
	ctx, cancel := context.WithCancel(n.Context())
	node := &testNode{DHT: d, number: number, host: h, at: sha256.Sum256([]byte(h.ID())), end: cancel, over: make(chan error, 1)}
	n.nodes[h.ID()] = node
	go func() { node.over <- d.Run(ctx) }()
	return node
}

// atMost is the size of a network: smaller with -short, as under the race detector.
func atMost(nodes int) int {
	if testing.Short() {
		return (nodes + 1) / 2
	}
	return nodes
}

// through makes nodes join through others.
func through(others ...*testNode) func(*dht.Config) {
	return func(c *dht.Config) {
		for _, o := range others {
			c.Bootstrap = append(c.Bootstrap, peer.AddrInfo{ID: o.host.ID(), Addrs: o.host.Addrs()})
		}
	}
}

// grow starts count nodes at the same moment, which join through the first one.
func (n *testNet) grow(count int) *testNode {
	n.Helper()
	first := n.add(nil)
	for range count - 1 {
		n.add(through(first))
	}
	return first
}

// eventually waits until all is as it should be; after the given time it tells
// what is not.
func (n *testNet) eventually(within time.Duration, check func() error) time.Duration {
	n.Helper()
	start := time.Now()
	for {
		err := check()
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) >= within {
			n.Fatalf("after %s: %v", within, err)
		}
		pass(100 * time.Millisecond)
	}
}

// pass lets time pass: virtual time in tests, between two looks in benchmarks.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // tests stand in a bubble
}

// servers is the nodes that serve, in a fixed order.
func (n *testNet) servers() []*testNode {
	var servers []*testNode
	for _, node := range n.nodes {
		if node.Server() {
			servers = append(servers, node)
		}
	}
	slices.SortFunc(servers, func(a, b *testNode) int { return a.number - b.number })
	return servers
}

// region is the true members of c's region of the given bits, nearest first.
func (n *testNet) region(c records.Coordinate, bits int) []peer.ID {
	var members []*testNode
	for _, node := range n.servers() {
		if c.SharedBits(node.at) >= bits {
			members = append(members, node)
		}
	}
	slices.SortFunc(members, func(a, b *testNode) int { return dht.Nearer(c, a.at, b.at) })
	ids := make([]peer.ID, len(members))
	for i, m := range members {
		ids[i] = m.host.ID()
	}
	return ids
}

// truth is the neighbourhood of c as all nodes together know it.
func (n *testNet) truth(c records.Coordinate) dht.Neighbourhood {
	all := n.region(c, 0)
	var told [3]int
	for i := range told {
		told[i] = n.nodes[all[min(i, len(all)-1)]].Prefix()
	}
	k := n.net.Params.Neighbourhood
	bits := dht.Median(told[0], told[1], told[2])
	for bits > 0 && len(n.region(c, bits)) < k {
		bits--
	}
	return dht.Neighbourhood{Bits: bits, Peers: n.region(c, bits)}
}

// settled tells whether every node knows its neighbourhood and its prefix is what
// the rule says of the nodes there are.
func (n *testNet) settled() error {
	servers := n.servers()
	for _, node := range servers {
		s := node.Status()
		if want := len(n.region(node.at, s.Prefix)); s.Members != want {
			return fmt.Errorf("node %d: knows %d members of its region of %d bits, want %d", node.number, s.Members, s.Prefix, want)
		}
		shared := map[int]int{}
		for _, other := range servers {
			if other != node {
				shared[node.at.SharedBits(other.at)]++
			}
		}
		if want := dht.PrefixLength(n.net.Params.Neighbourhood, dht.NewView(s.Size, shared, 1)); s.Prefix < want {
			return fmt.Errorf("node %d: prefix %d, want %d for %.0f nodes", node.number, s.Prefix, want, s.Size)
		}
	}
	return nil
}

// inBubble runs a test in virtual time, and closes the network inside it.
func inBubble(t *testing.T, params records.Params, test func(t *testing.T, n *testNet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, newTestNet(t, "dht", params, nodetest.NewLinks(nodetest.LinksConfig{Seed: 1})))
	})
}

// membersEverywhere asks some nodes for the members of random places and compares
// them with the truth. As a node that puts and reads does, they say who of them
// is gone and ask again.
func (n *testNet) membersEverywhere(places int) error {
	rng := rand.New(rand.NewPCG(1, 2))
	servers := n.servers()
	for range places {
		c := randomCoordinate(rng)
		asker := servers[rng.IntN(len(servers))]
		got, err := n.livingMembers(asker, c)
		if err != nil {
			return fmt.Errorf("node %d: %w", asker.number, err)
		}
		if want := n.truth(c); !reflect.DeepEqual(got, want) {
			return fmt.Errorf("node %d, place %.8s: got %d members of %d bits, want %d of %d", asker.number, c, len(got.Peers), got.Bits, len(want.Peers), want.Bits)
		}
	}
	return nil
}

// livingMembers asks for members until none of them is gone.
func (n *testNet) livingMembers(asker *testNode, c records.Coordinate) (dht.Neighbourhood, error) {
	for {
		got, err := asker.Members(n.Context(), c)
		gone := slices.DeleteFunc(slices.Clone(got.Peers), func(p peer.ID) bool { return n.nodes[p] != nil })
		if err != nil || len(gone) == 0 {
			return got, err
		}
		for _, p := range gone {
			asker.Forget(p)
		}
	}
}

// quietHost is a host without listeners and wires.
func quietHost(t *testing.T) host.Host {
	t.Helper()
	h, err := nodetest.NewLinks(nodetest.LinksConfig{}).Host(0, keyOf(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(t, h) })
	return h
}

func closeAll(t *testing.T, closers ...io.Closer) {
	t.Helper()
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

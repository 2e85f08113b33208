package node_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// keeper is the id of one of many nodes, and its name as one who keeps copies.
func keeper(t *testing.T, i int) (peer.ID, []byte) {
	t.Helper()
	seed := sha256.Sum256(fmt.Append(nil, "keeper ", i))
	key, _, err := crypto.GenerateEd25519Key(bytes.NewReader(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	name, err := exchange.SealCopy(key, []ma.Multiaddr{ma.StringCast(fmt.Sprintf("/ip4/192.0.2.%d/tcp/4001", 1+i%200))})
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return id, name
}

func hotAnswer(names ...[]byte) exchange.Answer { return exchange.Answer{Hot: true, Copies: names} }

// Those who are named are known until they are not named any more; one that is
// doubted is not asked meanwhile, however often it is named.
func TestHot_remembers(t *testing.T) {
	self, own := keeper(t, 0)
	h, p, now := node.NewHot(testNetwork(t, records.Params{Neighbourhood: 4, Capacity: 64}), self), records.TagPlace("sky"), time.Unix(1e9, 0)
	var names [][]byte
	var ids []peer.ID
	for i := range protocol.MaxCopiesNamed {
		id, name := keeper(t, 1+i)
		ids, names = append(ids, id), append(names, name)
	}
	forged := bytes.Clone(names[0])
	forged[len(forged)-1] ^= 1
	if h.Saw(p, exchange.Answer{}, now) || h.Is(p, now) {
		t.Error("a place that nobody calls hot is taken for it")
	}
	if !h.Saw(p, hotAnswer(own, forged, names[1]), now) || !h.Is(p, now) {
		t.Error("another copy is not wanted")
	}
	if got := h.Copies(p, now); len(got) != 1 || got[0].ID != ids[1] || len(got[0].Addrs) != 1 {
		t.Errorf("named: %v", got)
	}
	if h.Saw(p, hotAnswer(names...), now) {
		t.Error("more copies than are named are wanted")
	}
	h.Doubt(p, ids[2])
	now = now.Add(protocol.CopyLease * 2 / 3)
	h.Saw(p, hotAnswer(names[1], names[2]), now)
	if got := h.Copies(p, now); len(got) != len(names)-1 {
		t.Errorf("with one in doubt: %v", got)
	}
	now = now.Add(protocol.CopyLease / 2)
	if got := h.Copies(p, now); len(got) != 1 || got[0].ID != ids[1] {
		t.Errorf("named again: %v", got)
	}
	h.Saw(p, hotAnswer(names[2]), now)
	if got := h.Copies(p, now); len(got) != 2 {
		t.Errorf("after the doubt: %v", got)
	}
	now = now.Add(protocol.CopyLease)
	if got := h.Copies(p, now); len(got) != 0 || h.Is(p, now) {
		t.Errorf("later: %v", got)
	}
}

// A node that moves is named with its new addresses, and stands there once.
func TestHot_movedCopy(t *testing.T) {
	h, p, now := node.NewHot(testNetwork(t, records.Params{Neighbourhood: 4, Capacity: 64}), ""), records.TagPlace("sky"), time.Unix(1e9, 0)
	key, _, err := crypto.GenerateEd25519Key(bytes.NewReader(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/2"} {
		name, err := exchange.SealCopy(key, []ma.Multiaddr{ma.StringCast(addr)})
		if err != nil {
			t.Fatal(err)
		}
		h.Saw(p, hotAnswer(name), now)
		if got := h.Copies(p, now); len(got) != 1 || got[0].Addrs[0].String() != addr {
			t.Errorf("at %s: %v", addr, got)
		}
	}
}

// What strangers tell of hot places takes a few MiB, however much they tell.
func TestHot_bounded(t *testing.T) {
	h, now := node.NewHot(testNetwork(t, records.Params{Neighbourhood: 4, Capacity: 64}), ""), time.Unix(1e9, 0)
	var names [][]byte
	for i := range 5 * protocol.MaxCopiesNamed {
		_, name := keeper(t, i)
		names = append(names, name)
	}
	before := heapInUse()
	for i := range 1200 {
		p := records.TagPlace(records.Tag(fmt.Sprintf("tag%d", i)))
		for k := 0; k < len(names); k += protocol.MaxCopiesNamed {
			h.Saw(p, hotAnswer(names[k:k+protocol.MaxCopiesNamed]...), now)
		}
		if n := len(h.Copies(p, now)); n != node.HotPerPlace {
			t.Fatalf("%d copies of one place", n)
		}
		if testing.Short() && i == 100 {
			break
		}
	}
	if used := heapInUse() - before; used > 16<<20 {
		t.Errorf("%d bytes", used)
	}
	runtime.KeepAlive(h)
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Copies take no more than the budget, and a place of which no copy was of use is
// let alone for a while.
func TestCache_budget(t *testing.T) {
	c, now := node.NewCache(1000), time.Unix(1e9, 0)
	place := func(i int) records.Place { return records.TagPlace(records.Tag(fmt.Sprintf("tag%d", i))) }
	for i := range 2 {
		if !c.Begin(place(i), now) || c.Begin(place(i), now) || c.Keeps(place(i)) {
			t.Fatalf("copy %d", i)
		}
	}
	if !c.Fill(place(0), 700) || c.Fill(place(1), 301) || !c.Fill(place(1), 300) || !c.Fill(place(0), 650) {
		t.Error("the budget is not kept")
	}
	if n, size := c.Size(); n != 2 || size != 950 || !c.Keeps(place(1)) {
		t.Errorf("%d copies of %d bytes", n, size)
	}
	c.End(place(1), now)
	if c.Keeps(place(1)) || c.Begin(place(1), now.Add(node.CacheCalm-1)) || !c.Begin(place(1), now.Add(node.CacheCalm)) {
		t.Error("a place is not let alone, or for ever")
	}
	for i := range 2 * node.CachePlaces {
		c.Begin(place(10+i), now)
	}
	if c.Begin(place(9999), now) {
		t.Error("places without end")
	}
	if none := node.NewCache(0); none.Begin(place(1), now) {
		t.Error("a copy without a budget")
	}
}

// Copies of a run that ended are dropped by the next, but for those of places that
// the node holds for other reasons.
func TestCache_leftovers(t *testing.T) {
	planted, nodes := map[int][]records.Place{}, 24
	if smaller() {
		nodes = 14
	}
	simulate(t, nodetest.Config{
		Nodes: nodes, Links: nodetest.LinksConfig{Seed: 31}, Keys: 142, // of which each quarter of the ring has enough
		Tune: func(i int, c *node.Config) { planted[i] = plantCopies(t, c.Store, c.Network, 8) },
	}, func(_ context.Context, net *nodetest.Network) {
		net.Pass(time.Minute)
		dropped := 0
		for _, x := range net.Nodes {
			for _, p := range planted[x.Index] {
				stored, err := x.Stored(p)
				if err != nil || stored > 0 && !x.Member(p) {
					t.Errorf("node %d still keeps %s: %d posts, %v", x.Index, p, stored, err)
				}
				if stored == 0 {
					dropped++
				}
			}
		}
		// In a small network it may be that everybody holds everything.
		if all := nodes * 8; dropped == 0 && !smaller() || dropped == all {
			t.Errorf("%d of %d are dropped", dropped, all)
		}
	})
}

// plantCopies puts a post each to so many places, as a node that makes copies would.
func plantCopies(t *testing.T, s *datastore.Store, n records.Network, many int) (places []records.Place) {
	t.Helper()
	for i := range many {
		tag := records.Tag(fmt.Sprintf("copy%d", i))
		d, err := records.NewPost(1_000_000, [8]byte{byte(i)}, records.PostHead{Tags: []records.Tag{tag}}, records.PostBody{Text: "a copy"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := records.Seal(context.Background(), n, records.AuthorSigner(records.KeyFromSeed([32]byte{1})), d)
		if err != nil {
			t.Fatal(err)
		}
		p := records.TagPlace(tag).At(records.LevelMonth, r)
		if err := s.Datastore().Put(context.Background(), node.CopyKey(p), p.Bytes()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Merge(context.Background(), []records.Put{{Place: p, Record: r}}); err != nil {
			t.Fatal(err)
		}
		places = append(places, p)
	}
	return places
}

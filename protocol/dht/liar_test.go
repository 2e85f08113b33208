package dht_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-msgio"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// lie lets a node answer find-node requests with whatever name returns, and pings as
// it should.
func (n *testNet) lie(node *testNode, name func(target []byte) []*kadpb.Message_Peer) {
	id := protocol.KadPrefix(n.net) + "/kad/1.0.0"
	for _, c := range node.host.Network().Conns() {
		for _, s := range c.GetStreams() {
			if s.Protocol() == id {
				_ = s.Reset() // those that the honest handler still serves
			}
		}
	}
	var naming sync.Mutex // streams are answered side by side
	node.host.SetStreamHandler(id, func(s network.Stream) {
		defer func() { _ = s.Close() }()
		r, w := msgio.NewVarintReaderSize(s, 1<<16), msgio.NewVarintWriter(s)
		for {
			b, err := r.ReadMsg()
			if err != nil {
				return
			}
			m := new(kadpb.Message)
			if proto.Unmarshal(b, m) != nil {
				return
			}
			reply := kadpb.NewMessage(m.GetType(), m.GetKey(), 0)
			if m.GetType() == kadpb.Message_FIND_NODE {
				naming.Lock()
				reply.CloserPeers = name(m.GetKey())
				naming.Unlock()
			}
			if b, err = proto.Marshal(reply); err != nil || w.WriteMsg(b) != nil {
				return
			}
		}
	})
}

// invented are nodes that do not exist, others every time.
func (n *testNet) invented() func([]byte) []*kadpb.Message_Peer {
	made := 1 << 40
	return func([]byte) (peers []*kadpb.Message_Peer) {
		for range 20 {
			made++
			id, err := peer.IDFromPrivateKey(keyOf(n, made))
			if err != nil {
				n.Error(err)
			}
			peers = append(peers, &kadpb.Message_Peer{Id: []byte(id), Addrs: [][]byte{ma.StringCast("/ip4/9.9.9.9/tcp/4001").Bytes()}})
		}
		return peers
	}
}

// Who names nodes that are not there sinks, is banned, leaves the table and stays
// banned over a restart; who is slow, or hangs at times, is neither.
func TestReputation_liarIsBannedSlowIsNot(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		store := dssync.MutexWrap(ds.NewMapDatastore())
		first := n.grow(14)
		watched := n.add(func(c *dht.Config) { through(first)(c); c.Datastore = store })
		n.eventually(time.Minute, n.settled)
		servers := n.servers()
		liar, slow := servers[3], servers[5]
		n.lie(liar, n.invented())
		n.links.Shape(func(from, to int) nodetest.Link {
			if from == slow.number || to == slow.number {
				return nodetest.Link{Latency: 700 * time.Millisecond}
			}
			return nodetest.Link{Latency: 20 * time.Millisecond}
		})
		before := watched.Reputation(liar.host.ID())
		n.eventually(time.Hour, func() error {
			return unless(watched.Banned(liar.host.ID()), "the liar is not banned")
		})
		if after := watched.Reputation(liar.host.ID()); after >= before || after != 0 {
			t.Errorf("the liar's score was %.2f and is %.2f", before, after)
		}
		if slices.Contains(watched.Table(), liar.host.ID()) {
			t.Error("the liar is in the table")
		}
		if watched.Banned(slow.host.ID()) || watched.Honesty(slow.host.ID()) < dht.Neutral {
			t.Errorf("the slow node is at %.2f, banned %v", watched.Honesty(slow.host.ID()), watched.Banned(slow.host.ID()))
		}
		if s := watched.Status(); s.Banned != 1 {
			t.Errorf("%d are banned", s.Banned)
		}
		watched.end()
		if err := <-watched.over; err != nil {
			t.Fatal(err)
		}
		watched.over <- nil
		again := n.run(watched.host, watched.number, func(c *dht.Config) { through(first)(c); c.Datastore = store })
		again.shared = true
		<-again.Ready()
		if !again.Banned(liar.host.ID()) {
			t.Error("a restart lifts the ban")
		}
		pass(time.Minute)
		if slices.Contains(again.Table(), liar.host.ID()) {
			t.Error("the liar is in the table after the restart")
		}
		n.gone = append(n.gone, watched)
	})
}

// What others report counts too: two broken records from a stranger are enough.
func TestReport_evictsAndBans(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		first := n.grow(6)
		n.eventually(time.Minute, n.settled)
		bad := n.servers()[3].host.ID()
		for range 60 {
			first.Report(bad, dht.InvalidRecord)
		}
		if !first.Banned(bad) || slices.Contains(first.Table(), bad) || first.Honesty(bad) != 0 {
			t.Errorf("banned %v, honesty %.2f", first.Banned(bad), first.Honesty(bad))
		}
		hood, err := first.Members(t.Context(), first.at)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(hood.Peers, bad) {
			t.Error("a banned node is a member")
		}
		n.eventually(2*time.Hour, func() error {
			return unless(!first.Banned(bad) && slices.Contains(first.Table(), bad), "not let in again when the ban is over")
		})
	})
}

// A node that answers with thousands of nodes and thousands of addresses for each costs
// a search a bounded part of them and little memory.
func TestSearch_floodOfNames(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		first := n.grow(5)
		n.eventually(time.Minute, n.settled)
		flooder := n.servers()[2]
		addrs := make([][]byte, 0, 1000)
		for i := range 1000 {
			addrs = append(addrs, ma.StringCast(fmt.Sprintf("/ip4/9.9.%d.%d/tcp/4001", i/250, i%250)).Bytes())
		}
		var (
			named []peer.ID
			flood []*kadpb.Message_Peer
			asked atomic.Int64
		)
		for i := range 10_000 { // as far as a message goes: 4 MiB
			p, err := peer.IDFromPrivateKey(keyOf(t, 1<<41+i))
			if err != nil {
				t.Fatal(err)
			}
			named = append(named, p)
			m := &kadpb.Message_Peer{Id: []byte(p), Addrs: addrs[:10]}
			switch {
			case i < 100:
				m.Addrs = addrs
			case i < 150:
				m.Addrs = [][]byte{addrs[0], ma.StringCast("/dns4/" + strings.Repeat("a", 9000) + "/tcp/1").Bytes()}
			}
			flood = append(flood, m)
		}
		n.lie(flooder, func([]byte) []*kadpb.Message_Peer {
			asked.Add(1)
			return flood
		})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 2 {
			place := first.at
			place[0] ^= 0x80
			if _, err := first.Members(t.Context(), place); err != nil {
				t.Fatal(err)
			}
			first.Forget(flooder.host.ID())
			pass(time.Minute)
		}
		if asked.Load() == 0 {
			t.Fatal("nobody asked the flooder: the test shows nothing")
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
			t.Errorf("the heap grew by %d MiB", grown>>20)
		}
		taken, most, longest := 0, 0, 0
		for _, p := range named {
			known, size := first.host.Peerstore().Addrs(p), 0
			for _, a := range known {
				size += len(a.Bytes())
			}
			if len(known) > 0 {
				taken++
				most, longest = max(most, len(known)), max(longest, size)
			}
		}
		bucket := dht.BucketSize(4)
		if taken == 0 || taken > 2*bucket || most > dht.MaxAddrs || longest > 8<<10 {
			t.Errorf("took %d nodes with up to %d addresses of %d bytes, want at most %d with %d of 8 KiB", taken, most, longest, 2*bucket, dht.MaxAddrs)
		}
	})
}

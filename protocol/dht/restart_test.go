package dht_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// A node restarts while two of its three bootstrap nodes are hostile and a crowd dials
// it that names nobody but itself. By the peers it remembers, half of those it dials
// within a minute are honest, and of every place it finds honest members.
func TestRun_restartEclipse(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		honest, sybils := 16, atMost(32)
		first := n.grow(honest)
		n.eventually(time.Minute, n.settled)
		var remembered []peer.AddrInfo
		good := map[peer.ID]bool{}
		for _, s := range n.servers() {
			good[s.host.ID()] = true
			if s != first {
				remembered = append(remembered, peer.AddrInfo{ID: s.host.ID(), Addrs: s.host.Addrs()})
			}
		}
		crowd := n.crowd(sybils)
		victim := n.add(func(c *dht.Config) {
			through(first, crowd[0], crowd[1])(c)
			c.Remembered = remembered
		})
		for _, s := range crowd {
			go func() { // they dial before it has joined
				_ = s.host.Connect(t.Context(), peer.AddrInfo{ID: victim.host.ID(), Addrs: victim.host.Addrs()})
			}()
		}
		pass(time.Minute)
		out, fair := 0, 0
		for _, c := range victim.host.Network().Conns() {
			if c.Stat().Direction == network.DirOutbound {
				out++
				if good[c.RemotePeer()] {
					fair++
				}
			}
		}
		t.Logf("%d of %d outbound connections are honest", fair, out)
		if out == 0 || 2*fair < out {
			t.Errorf("%d of %d outbound connections are honest", fair, out)
		}
		fair = 0
		for i := range 32 {
			place := records.Coordinate{byte(8 * i)}
			hood, err := victim.Members(t.Context(), place)
			if err != nil {
				t.Fatal(err)
			}
			members := 0
			for p := range good {
				if dht.CoordinateOf(p).SharedBits(place) >= hood.Bits {
					members++
				}
			}
			switch {
			case slices.ContainsFunc(hood.Peers, func(p peer.ID) bool { return good[p] }):
				fair++
			case members > 0: // else there is nobody but the crowd
				t.Errorf("place %d: none of %d members is honest, of %d that are", i, len(hood.Peers), members)
			}
		}
		if fair < 16 {
			t.Errorf("only %d of 32 places have honest members: the test shows little", fair)
		}
	})
}

// crowd starts nodes that know and name only each other.
func (n *testNet) crowd(count int) (all []*testNode) {
	var peers []*kadpb.Message_Peer
	for range count {
		var join []*testNode
		if len(all) > 0 {
			join = all[:1]
		}
		s := n.add(through(join...))
		all = append(all, s)
		p := &kadpb.Message_Peer{Id: []byte(s.host.ID())}
		for _, a := range s.host.Addrs() {
			p.Addrs = append(p.Addrs, a.Bytes())
		}
		peers = append(peers, p)
	}
	n.eventually(time.Minute, func() error {
		return unless(all[0].Status().Table == count-1, fmt.Sprintf("%d of %d have met", all[0].Status().Table+1, count))
	})
	for i, s := range all {
		n.lie(s, func([]byte) []*kadpb.Message_Peer { return slices.Concat(peers[i:], peers[:i])[:min(20, count)] })
	}
	return all
}

package dht_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// Somebody near us whose connection goes and comes again, as connections are trimmed and
// made when one is asked, is no reason to look around: only one whom we did not know is.
func TestRun_reconnectionsAreNoNews(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 2}, func(t *testing.T, n *testNet) {
		first := n.grow(8)
		watched := n.add(through(first))
		n.eventually(time.Minute, n.settled)
		pass(10 * time.Minute) // rounds are rare by now
		var beside []*testNode // in the half beside ours, whom rounds find and who are no neighbours
		for _, other := range n.servers() {
			if watched.at.SharedBits(other.at) == watched.Prefix()-1 {
				beside = append(beside, other)
			}
		}
		if len(beside) == 0 {
			t.Fatal("nobody is beside us: the test shows nothing")
		}
		before := watched.Status().Searches
		const minutes = 10
		for range 2 * minutes {
			for _, other := range beside {
				if err := other.host.Network().ClosePeer(watched.host.ID()); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				if err := other.host.Connect(t.Context(), peer.AddrInfo{ID: watched.host.ID(), Addrs: watched.host.Addrs()}); err != nil {
					t.Fatal(err)
				}
			}
			pass(30*time.Second - time.Duration(len(beside))*time.Second)
		}
		got := watched.Status().Searches - before
		if got > 2*minutes { // a full round in two minutes asks twice, and for a bucket that nobody looked into
			t.Errorf("%d searches in %d minutes", got, minutes)
		}
	})
}

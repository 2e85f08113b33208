package dht_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"

	"github.com/starling-social/starling/records"
)

// A connection to a node of the table counts for more than one to a stranger. None is
// kept at any price: that is for who owns the host to say.
func TestRun_protectsNoConnection(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 2}, func(t *testing.T, n *testNet) {
		manager, err := connmgr.NewConnManager(1, 2)
		if err != nil {
			t.Fatal(err)
		}
		number := solving(t, n.net, 100, true)
		h, err := n.links.Host(number, keyOf(t, number), libp2p.ConnectionManager(manager))
		if err != nil {
			t.Fatal(err)
		}
		first := n.grow(6)
		node := n.run(h, number, through(first))
		n.eventually(time.Minute, n.settled)

		table := node.Table()
		if len(table) == 0 {
			t.Fatal("nobody in the table")
		}
		for _, p := range table {
			if manager.IsProtected(p, "") {
				t.Errorf("connection to %s is protected", p)
			}
			if info := manager.GetTagInfo(p); info == nil || info.Value <= 0 {
				t.Errorf("connection to %s counts for nothing: %+v", p, info)
			}
		}
	})
}

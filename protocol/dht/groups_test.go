package dht_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// Groups are prefixes: of IPv6 too, where the library takes all whose AS it does not
// know for one group. What is exempt has none.
func TestIPGroups_of(t *testing.T) {
	t.Parallel()
	limits := dht.IPGroups{PerTable: 3, Exempt: dht.PrivateNetworks()}
	for _, c := range []struct {
		addr  string
		group string // empty: exempt
	}{
		{"/ip4/5.6.7.8/tcp/4001", "5.6.0.0/16"},
		{"/ip4/5.6.255.1/udp/4001/quic-v1", "5.6.0.0/16"},
		{"/ip4/12.6.7.8/tcp/4001", "12.6.0.0/16"}, // not the whole of an old /8
		{"/ip6/2001:db8:1::1/tcp/1", "2001:db8::/32"},
		{"/ip6/2001:db9::1/tcp/1", "2001:db9::/32"},
		{"/ip6/::ffff:5.6.7.8/tcp/1", "5.6.0.0/16"},
		{"/ip6/2002:506:708::1/tcp/1", "2002:506::/32"}, // 6to4: as wide as the /16 inside
		{"/ip4/127.0.0.1/tcp/1", ""},
		{"/ip6/::1/tcp/1", ""},
		{"/ip4/10.1.2.3/tcp/1", ""},
		{"/ip4/172.31.2.3/tcp/1", ""},
		{"/ip4/172.32.2.3/tcp/1", "172.32.0.0/16"},
		{"/ip4/192.168.2.3/tcp/1", ""},
		{"/ip4/100.127.2.3/tcp/1", ""},
		{"/ip6/fd00::7/tcp/1", ""},
		{"/ip6/fe80::7/tcp/1", ""},
	} {
		groups, known := limits.Of(ma.StringCast(c.addr))
		var want []netip.Prefix
		if c.group != "" {
			want = []netip.Prefix{netip.MustParsePrefix(c.group)}
		}
		if !known || !slices.Equal(groups, want) {
			t.Errorf("%s: groups %v (known %v), want %v", c.addr, groups, known, want)
		}
	}
	if groups, known := limits.Of(ma.StringCast("/dns4/example.org/tcp/1")); known || len(groups) != 0 {
		t.Errorf("a name has groups %v, known %v", groups, known)
	}
	limits.Exempt = nil // by configuration, not by accident
	if groups, _ := limits.Of(ma.StringCast("/ip4/127.0.0.1/tcp/1")); len(groups) != 1 {
		t.Errorf("loopback has groups %v where nothing is exempt", groups)
	}
	both, _ := limits.Of(ma.StringCast("/ip4/5.6.7.8/tcp/1"), ma.StringCast("/ip4/5.6.1.1/tcp/1"), ma.StringCast("/ip4/5.7.1.1/tcp/1"))
	if len(both) != 2 {
		t.Errorf("a node of two networks has groups %v", both)
	}
}

// One operator with one network fills neither the table nor a bucket of it, and the
// rest of the network finds its way; in a network that is exempt, or without limits,
// as many enter as there are.
func TestIPGroups_oneOperator(t *testing.T) {
	house := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	for name, c := range map[string]struct {
		limits dht.IPGroups
		most   int
	}{
		"limited":   {dht.IPGroups{PerBucket: 2, PerTable: 3}, 3},
		"exempt":    {dht.IPGroups{PerBucket: 2, PerTable: 3, Exempt: house}, 1000},
		"unlimited": {dht.IPGroups{}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
				const operators = 100 // from this number on, nodes are one operator's
				n.links = nodetest.NewLinks(nodetest.LinksConfig{Seed: 1, Subnet: func(i int) int { return min(i, operators) }})
				watched := n.add(func(cfg *dht.Config) { cfg.IPGroups = c.limits })
				for range 5 {
					n.add(through(watched))
				}
				n.eventually(time.Minute, n.settled)
				honest := len(n.nodes) - 1
				n.next = operators
				crowd := map[peer.ID]bool{}
				for range 14 {
					crowd[n.add(through(watched)).host.ID()] = true
				}
				n.eventually(time.Minute, func() error {
					s := watched.Status()
					if c.most < 1000 {
						return unless(s.Refused > 0, "nobody was refused")
					}
					return unless(s.Table == honest+len(crowd), fmt.Sprintf("table of %d", s.Table))
				})
				pass(2 * time.Minute)
				if c.most == 1000 {
					if s := watched.Status(); s.Refused > 0 {
						t.Errorf("%d were refused", s.Refused)
					}
					return
				}
				inTable, perBucket := 0, map[int]int{}
				for _, p := range watched.Table() {
					if crowd[p] {
						inTable++
						perBucket[watched.at.SharedBits(dht.CoordinateOf(p))]++
					}
				}
				if inTable == 0 || inTable > c.most {
					t.Errorf("%d of one operator are in the table, want 1 to %d", inTable, c.most)
				}
				for shared, k := range perBucket {
					if k > c.limits.PerBucket {
						t.Errorf("%d of one operator share %d bits with us, want at most %d", k, shared, c.limits.PerBucket)
					}
				}
				if got := watched.Status().Table - inTable; got != honest {
					t.Errorf("%d of the %d others are in the table", got, honest)
				}
			})
		})
	}
}

// Where more members are known than a place wants, of one operator there are few, even
// when they are nearest of all; nobody is left out for it as long as there is room.
func TestPreferred_fewOfOneOperator(t *testing.T) {
	t.Parallel()
	var ids []peer.ID
	var since []time.Time
	crowd := map[peer.ID]bool{}
	for i := range 60 {
		ids = append(ids, numbered(i))
		since = append(since, time.Unix(int64(i), 0))
		crowd[numbered(i)] = i < 30
	}
	kept := dht.Preferred(ids, since, 20, crowd)
	if len(kept) != 20 || slices.ContainsFunc(kept, func(p peer.ID) bool { return crowd[p] }) {
		t.Errorf("kept %d, of the crowd too", len(kept))
	}
	if !slices.Equal(kept[:10], ids[30:40]) {
		t.Error("the nearest half are not the nearest of the others")
	}
	if kept = dht.Preferred(ids, since, 40, crowd); len(kept) != 40 || !slices.Equal(kept[10:], ids[30:]) {
		t.Errorf("kept %d of 60, want the 30 others and the 10 longest known of the crowd", len(kept))
	}
	if kept = dht.Preferred(ids, since, 60, crowd); len(kept) != 60 {
		t.Errorf("kept %d of 60", len(kept))
	}
}

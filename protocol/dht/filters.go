package dht

import (
	"maps"
	"net"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p-kbucket/peerdiversity"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// PublicAddresses keeps what can be dialled from anywhere.
func PublicAddresses(addrs []ma.Multiaddr) []ma.Multiaddr {
	return slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool { return !manet.IsPublicAddr(a) })
}

// AllAddresses keeps everything.
func AllAddresses(addrs []ma.Multiaddr) []ma.Multiaddr { return addrs }

// A discreetHost is the host as the library sees it. The library filters the
// addresses it hears but not those it tells, which identify has filled with
// whatever our neighbours' machines call themselves; here it is told only what
// it may pass on. Dials go through the real host and know all addresses.
type discreetHost struct {
	host.Host
	keep func([]ma.Multiaddr) []ma.Multiaddr
}

func (h discreetHost) Peerstore() peerstore.Peerstore {
	return discreetPeerstore{h.Host.Peerstore(), h.keep}
}

type discreetPeerstore struct {
	peerstore.Peerstore
	keep func([]ma.Multiaddr) []ma.Multiaddr
}

func (s discreetPeerstore) PeerInfo(p peer.ID) peer.AddrInfo {
	return peer.AddrInfo{ID: p, Addrs: s.Addrs(p)}
}

func (s discreetPeerstore) Addrs(p peer.ID) []ma.Multiaddr {
	return s.keep(s.Peerstore.Addrs(p))
}

// ipGroups counts the nodes of each IP group in the routing table. The library's
// own filter would count all loopback nodes as one group, and so all of a house.
type ipGroups struct {
	limits IPGroups
	host   host.Host

	mu      sync.Mutex // protects the counts
	buckets map[ipBucket]int
	table   map[peerdiversity.PeerIPGroupKey]int
}

type ipBucket struct {
	shared int
	group  peerdiversity.PeerIPGroupKey
}

var _ peerdiversity.PeerIPGroupFilter = (*ipGroups)(nil)

func newIPGroups(limits IPGroups, h host.Host) *ipGroups {
	return &ipGroups{
		limits: limits, host: h,
		buckets: map[ipBucket]int{}, table: map[peerdiversity.PeerIPGroupKey]int{},
	}
}

// unlimited is the address that stands for all to which no limit applies.
var unlimited = ma.StringCast("/ip4/127.0.0.1")

// PeerAddresses are the remote ends of our connections to p, which p cannot
// choose as it can the addresses it announces; one of each group, for every one
// that is returned counts.
func (g *ipGroups) PeerAddresses(p peer.ID) []ma.Multiaddr {
	groups := map[peerdiversity.PeerIPGroupKey]ma.Multiaddr{}
	for _, c := range g.host.Network().ConnsToPeer(p) {
		a := c.RemoteMultiaddr()
		ip, err := manet.ToIP(a)
		if err != nil || !manet.IsPublicAddr(a) {
			a, ip = unlimited, net.IPv4(127, 0, 0, 1)
		}
		groups[peerdiversity.IPGroupKey(ip)] = a
	}
	return slices.Collect(maps.Values(groups))
}

func (g *ipGroups) Allow(i peerdiversity.PeerGroupInfo) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return exempt(i.IPGroupKey) ||
		below(g.table[i.IPGroupKey], g.limits.PerTable) &&
			below(g.buckets[ipBucket{i.Cpl, i.IPGroupKey}], g.limits.PerBucket)
}

func (g *ipGroups) Increment(i peerdiversity.PeerGroupInfo) { g.change(i, 1) }
func (g *ipGroups) Decrement(i peerdiversity.PeerGroupInfo) { g.change(i, -1) }

func (g *ipGroups) change(i peerdiversity.PeerGroupInfo, by int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := ipBucket{i.Cpl, i.IPGroupKey}
	if g.buckets[b] += by; g.buckets[b] <= 0 {
		delete(g.buckets, b)
	}
	if g.table[i.IPGroupKey] += by; g.table[i.IPGroupKey] <= 0 {
		delete(g.table, i.IPGroupKey)
	}
}

// exempt tells whether a group is that of loopback. Groups of IPv4 are written as
// the group's first address.
func exempt(group peerdiversity.PeerIPGroupKey) bool {
	ip := net.ParseIP(string(group))
	return ip != nil && ip.IsLoopback()
}

func below(n, limit int) bool { return limit == 0 || n < limit }

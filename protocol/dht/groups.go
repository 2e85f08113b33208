package dht

import (
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// An IP group is a network that one operator can easily fill: as much as a provider
// hands out to one customer or to a few. The library groups IPv6 by AS, and puts all
// whose AS its table does not list into one group; these are plain prefixes.
const (
	groupBits4 = 16 // of an IPv4 address
	groupBits6 = 32 // of an IPv6 address: what a registry allots to a provider
)

// IPGroups limits how many nodes of one IP group (an IPv4 /16, an IPv6 /32) are taken,
// so that one operator cannot fill a table or a neighbourhood. 0 is no limit. Nodes
// count by the addresses at which we are connected to them, which they cannot choose
// as they can those they announce; behind a relay they count into the relay's group.
type IPGroups struct {
	PerBucket int // of the nodes in the table that share equally many bits with us
	PerTable  int // in the table in all
	PerPlace  int // members of a place, where more than 4K are known; more do not count for the network's size

	// Exempt are networks without limits, such as [PrivateNetworks]. nil: none.
	Exempt []netip.Prefix
}

// PrivateNetworks are those whose addresses cannot come from the Internet: loopback,
// link-local, and the private ones of RFC 1918, RFC 4193 and RFC 6598. Networks in
// one machine or one house want them exempt.
func PrivateNetworks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"),
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
	}
}

// limited tells whether a table has limits at all.
func (g IPGroups) limited() bool { return g.PerBucket > 0 || g.PerTable > 0 }

// exempt tells whether no limit applies to an address.
func (g IPGroups) exempt(a netip.Addr) bool {
	return slices.ContainsFunc(g.Exempt, func(p netip.Prefix) bool { return p.Contains(a) })
}

// groupOf is the group of an address.
func groupOf(a netip.Addr) netip.Prefix {
	bits := groupBits6
	if a.Is4() {
		bits = groupBits4
	}
	p, _ := a.Prefix(bits) // only fails for more bits than there are
	return p
}

// GroupOf is the IP group of the first of some addresses that is one outside of private
// networks; the zero prefix, which is not valid, when none is.
func GroupOf(addrs []ma.Multiaddr) netip.Prefix {
	groups, _ := IPGroups{Exempt: PrivateNetworks()}.of(addrs)
	if len(groups) == 0 {
		return netip.Prefix{}
	}
	return groups[0]
}

// of is the groups that some addresses count into, none for those that are exempt;
// known tells whether any of them was an IP address at all.
func (g IPGroups) of(addrs []ma.Multiaddr) (groups []netip.Prefix, known bool) {
	for _, m := range addrs {
		ip, err := manet.ToIP(m)
		if err != nil {
			continue
		}
		a, ok := netip.AddrFromSlice(ip)
		if !ok {
			continue
		}
		known = true
		a = a.Unmap()
		if group := groupOf(a); !g.exempt(a) && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return groups, known
}

// remoteAddrs are the far ends of our connections to p.
func remoteAddrs(h host.Host, p peer.ID) (addrs []ma.Multiaddr) {
	for _, c := range h.Network().ConnsToPeer(p) {
		addrs = append(addrs, c.RemoteMultiaddr())
	}
	return addrs
}

// A census counts nodes by group, each into all of its groups.
type census map[netip.Prefix]int

// room tells whether one more node of these groups stays within limit.
func (c census) room(groups []netip.Prefix, limit int) bool {
	return limit == 0 || !slices.ContainsFunc(groups, func(g netip.Prefix) bool { return c[g] >= limit })
}

func (c census) add(groups []netip.Prefix) {
	for _, g := range groups {
		c[g]++
	}
}

package nodetest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	ma "github.com/multiformats/go-multiaddr"
)

const (
	listenPort    = 4001
	firstFreePort = 49152 // of the range for ports that nobody chose
	hostsPerByte  = 250   // host numbers per third byte of an address, which keeps clear of .0 and .255
	firstBytes    = 207   // how many first bytes can be used: 224 less the unusable
)

// unusable lists the first bytes below 224 that hold private, shared, test or otherwise special networks,
// or that kad-dht's diversity filter counts as one group for historical reasons.
var unusable = [...]byte{0, 10, 100, 127, 169, 172, 192, 198, 203 /* special */, 12, 17, 19, 38, 48, 53, 56, 73 /* one group */}

// Addr returns the address at which a node listens: a public IPv4 address that is its own, with a TCP port.
func (l *Links) Addr(node int) ma.Multiaddr { return multiaddr(l.mustIP(node), listenPort) }

func (l *Links) mustIP(node int) netip.Addr {
	ip, ok := l.ip(node)
	if !ok {
		panic(fmt.Sprintf("nodetest: no address for node %d in subnet %d", node, l.cfg.Subnet(node)))
	}
	return ip
}

// ip lays nodes out so that subnets next in number differ in the first byte, and that the node can be read off the last two.
func (l *Links) ip(node int) (netip.Addr, bool) {
	subnet := l.cfg.Subnet(node)
	third, second := node/hostsPerByte, subnet/firstBytes
	if node < 0 || subnet < 0 || third > 255 || second > 255 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte{firstByte(subnet % firstBytes), byte(second), byte(third), byte(node%hostsPerByte + 1)}), true
}

// firstByte returns the n-th first byte that can be used.
func firstByte(n int) byte {
	for b := byte(0); ; b++ {
		if slices.Contains(unusable[:], b) {
			continue
		}
		if n == 0 {
			return b
		}
		n--
	}
}

// owner returns the node that has the address, if any can have it.
func (l *Links) owner(ip netip.Addr) (node int, ok bool) {
	b := ip.As4()
	if b[3] == 0 || b[3] > hostsPerByte {
		return 0, false
	}
	node = int(b[2])*hostsPerByte + int(b[3]) - 1
	has, ok := l.ip(node)
	return node, ok && has == ip
}

func multiaddr(ip netip.Addr, port uint16) ma.Multiaddr {
	return ma.StringCast(fmt.Sprintf("/ip4/%s/tcp/%d", ip, port))
}

// parse splits a multiaddr that is an IPv4 address and a TCP port and nothing else.
func parse(a ma.Multiaddr) (netip.AddrPort, bool) {
	if len(a) != 2 || a[0].Code() != ma.P_IP4 || a[1].Code() != ma.P_TCP {
		return netip.AddrPort{}, false
	}
	ip, ok := netip.AddrFromSlice(a[0].RawValue())
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(a[1].RawValue())), ok
}

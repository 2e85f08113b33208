package dht

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	libprotocol "github.com/libp2p/go-libp2p/core/protocol"
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
// it may pass on. Dials go through the real host and know all addresses. Before its
// handler of others' questions stands the gate. What it protects, it prefers.
type discreetHost struct {
	host.Host
	keep func([]ma.Multiaddr) []ma.Multiaddr
	gate *gate
}

func (h discreetHost) SetStreamHandler(id libprotocol.ID, handler network.StreamHandler) {
	h.Host.SetStreamHandler(id, h.gate.before(handler))
}

func (h discreetHost) Peerstore() peerstore.Peerstore {
	return discreetPeerstore{h.Host.Peerstore(), h.keep}
}

func (h discreetHost) ConnManager() connmgr.ConnManager { return preferring{h.Host.ConnManager()} }

// farValue is what the connection to a node counts that the library would protect,
// twice what one to any other node of the table does.
const farValue = 10

// A preferring connection manager prefers what it is asked to protect. The library
// protects the connections to all nodes in the two farthest buckets, which are three
// quarters of a network that fits in them, and 128 nodes with K = 16: no node would keep
// as few connections as it was told to. Who is nearest is protected by the node itself.
type preferring struct{ connmgr.ConnManager }

func (m preferring) Protect(p peer.ID, tag string) { m.TagPeer(p, tag, farValue) }

func (m preferring) Unprotect(p peer.ID, tag string) bool {
	m.UntagPeer(p, tag)
	return m.IsProtected(p, "")
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

package dht

import (
	"slices"

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
// handler of others' questions stands the gate.
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

package node

import (
	"slices"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// announceOptions are which addresses others are told, and which are dialled.
func announceOptions(c Config) ([]libp2p.Option, error) {
	announce, err := multiaddrs(c.Announce)
	if err != nil {
		return nil, err
	}
	var opts []libp2p.Option
	switch {
	case len(announce) > 0:
		opts = append(opts, libp2p.AddrsFactory(func([]ma.Multiaddr) []ma.Multiaddr { return announce }))
	case c.PublicOnly:
		opts = append(opts, libp2p.AddrsFactory(public))
	}
	if c.PublicOnly {
		opts = append(opts, libp2p.ConnectionGater(publicGater{}))
	}
	return opts, nil
}

// public are those of addrs that are not private, loopback or link-local.
func public(addrs []ma.Multiaddr) []ma.Multiaddr {
	return slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool { return !manet.IsPublicAddr(a) })
}

// publicGater dials public addresses alone. Who dials us may come from anywhere: a
// neighbour in the same rack knows where that is.
type publicGater struct{}

var _ connmgr.ConnectionGater = publicGater{}

func (publicGater) InterceptPeerDial(peer.ID) bool { return true }

func (publicGater) InterceptAddrDial(_ peer.ID, a ma.Multiaddr) bool { return manet.IsPublicAddr(a) }

func (publicGater) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (publicGater) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

func (publicGater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

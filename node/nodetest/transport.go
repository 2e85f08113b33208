package nodetest

import (
	"fmt"
	"syscall"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"

	ma "github.com/multiformats/go-multiaddr"
)

// Transport returns the constructor of a node's transport, for [libp2p.Transport]. The gater may be nil.
func (l *Links) Transport(node int) func(crypto.PrivKey, network.ResourceManager, connmgr.ConnectionGater) (transport.Transport, error) {
	return func(key crypto.PrivKey, limits network.ResourceManager, gater connmgr.ConnectionGater) (transport.Transport, error) {
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("derive peer id of node %d: %w", node, err)
		}
		return &endpoint{links: l, node: node, id: id, key: key.GetPublic(), limits: limits, gater: gater}, nil
	}
}

// endpoint is the transport of one host.
type endpoint struct {
	links  *Links
	node   int
	id     peer.ID
	key    crypto.PubKey
	limits network.ResourceManager
	gater  connmgr.ConnectionGater // may be nil
}

var _ transport.Transport = (*endpoint)(nil)

func (e *endpoint) CanDial(a ma.Multiaddr) bool { _, ok := parse(a); return ok }
func (e *endpoint) Protocols() []int            { return []int{ma.P_TCP} }
func (e *endpoint) Proxy() bool                 { return false }

// Listen takes a port of the node's address; port 0 takes a free one.
func (e *endpoint) Listen(a ma.Multiaddr) (transport.Listener, error) {
	at, ok := parse(a)
	if !ok || at.Addr() != e.links.mustIP(e.node) {
		return nil, fmt.Errorf("listen on %s: %w", a, syscall.EADDRNOTAVAIL)
	}
	lis := &listener{endpoint: e}
	lis.changed.L = &lis.mu
	if err := e.links.bind(lis, at.Port()); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", a, err)
	}
	return lis, nil
}

// bind gives the listener its port.
func (l *Links) bind(lis *listener, port uint16) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.nodeLocked(lis.endpoint.node)
	if n.killed {
		return syscall.ENETDOWN
	}
	if port == 0 {
		port = n.freePort()
	}
	if n.ports[port] != nil {
		return syscall.EADDRINUSE
	}
	n.ports[port] = lis
	lis.addr = multiaddr(l.mustIP(lis.endpoint.node), port)
	lis.port = port
	return nil
}

// freePort returns a port that no listener has, each time another until all were used.
func (n *node) freePort() uint16 {
	for {
		port := n.nextPort
		n.nextPort = max(n.nextPort+1, firstFreePort) // around after the last port
		if n.ports[port] == nil {
			return port
		}
	}
}

func (l *Links) unbind(lis *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.nodeLocked(lis.endpoint.node).ports, lis.port)
}

// listenerAt returns who listens at a port of a node, or nil.
func (l *Links) listenerAt(node int, port uint16) *listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodeLocked(node).ports[port]
}

// source returns the address that the endpoint dials from: one at which it listens, as with TCP port reuse, or else a free port.
func (e *endpoint) source() ma.Multiaddr {
	e.links.mu.Lock()
	defer e.links.mu.Unlock()
	n := e.links.nodeLocked(e.node)
	var from *listener
	for _, lis := range n.ports {
		if lis.endpoint == e && (from == nil || lis.port < from.port) {
			from = lis
		}
	}
	if from != nil {
		return from.addr
	}
	return multiaddr(e.links.mustIP(e.node), n.freePort())
}

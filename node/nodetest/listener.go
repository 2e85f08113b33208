package nodetest

import (
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// acceptQueue bounds the connections that wait to be accepted; further ones are refused.
const acceptQueue = 256

// listener waits for connections at one port.
type listener struct {
	endpoint *endpoint
	addr     ma.Multiaddr
	port     uint16

	mu      sync.Mutex // protects all below
	changed sync.Cond  // on mu: a connection waits, or the listener is closed
	waiting []*conn
	closed  bool
}

var _ transport.Listener = (*listener)(nil)

func (lis *listener) Multiaddr() ma.Multiaddr { return lis.addr }

func (lis *listener) Addr() net.Addr {
	addr, _ := manet.ToNetAddr(lis.addr) // cannot fail: we made the address
	return addr
}

// Accept waits for a connection that is not closed yet.
func (lis *listener) Accept() (transport.CapableConn, error) {
	for {
		c := lis.next()
		if c == nil {
			return nil, transport.ErrListenerClosed
		}
		if !c.IsClosed() {
			return c, nil
		}
		_ = c.Close() // closed from afar; gives back its scope
	}
}

func (lis *listener) next() *conn {
	lis.mu.Lock()
	defer lis.mu.Unlock()
	for len(lis.waiting) == 0 && !lis.closed {
		lis.changed.Wait()
	}
	if lis.closed {
		return nil
	}
	c := lis.waiting[0]
	lis.waiting[0] = nil
	lis.waiting = lis.waiting[1:]
	return c
}

// offer queues a connection and reports whether there was room.
func (lis *listener) offer(c *conn) bool {
	lis.mu.Lock()
	defer lis.mu.Unlock()
	if lis.closed || len(lis.waiting) >= acceptQueue {
		return false
	}
	lis.waiting = append(lis.waiting, c)
	lis.changed.Signal()
	return true
}

// Close frees the port and closes the connections that nobody accepted.
func (lis *listener) Close() error {
	lis.mu.Lock()
	left := lis.waiting
	wasClosed := lis.closed
	lis.waiting, lis.closed = nil, true
	lis.changed.Broadcast()
	lis.mu.Unlock()
	for _, c := range left {
		_ = c.CloseWithError(network.ConnShutdown)
	}
	if !wasClosed {
		lis.endpoint.links.unbind(lis)
	}
	return nil
}

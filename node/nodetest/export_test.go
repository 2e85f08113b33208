package nodetest

import (
	"github.com/libp2p/go-libp2p/core/transport"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// OpenStreams returns how many streams one end of a connection remembers.
func OpenStreams(end transport.CapableConn) int {
	c := end.(*conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams)
}

// Store is where a node keeps what it holds.
func (x *Node) Store() *datastore.Store { return x.store }

// Member tells whether places are a node's to hold.
func (x *Node) Member() func(records.Coordinate) bool { return x.holds() }

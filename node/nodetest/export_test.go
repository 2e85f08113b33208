package nodetest

import "github.com/libp2p/go-libp2p/core/transport"

// OpenStreams returns how many streams one end of a connection remembers.
func OpenStreams(end transport.CapableConn) int {
	c := end.(*conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams)
}

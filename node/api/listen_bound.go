package api

import (
	"net"
	"net/netip"
	"sync"
)

// Connections are file descriptors, of which the node's peers need some too.
const (
	maxConns       = 4096 // of a listener
	maxConnsFrom   = 2048 // of them, from one address, which may be a proxy's
	maxWatchesFrom = 256  // of strangers, from one address: an office of readers
)

// tally counts what is held by whom, up to a bound for each and one for all.
type tally struct {
	each, all int

	mu   sync.Mutex // protects all below
	by   map[netip.Prefix]int
	held int
}

func newTally(each, all int) *tally { return &tally{each: each, all: all, by: map[netip.Prefix]int{}} }

// take holds one more until it is let go of, once; false if there are too many.
func (t *tally) take(from netip.Prefix) (release func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held >= t.all || t.by[from] >= t.each {
		return nil, false
	}
	t.held++
	t.by[from]++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.held--
		if t.by[from]--; t.by[from] == 0 {
			delete(t.by, from)
		}
	}), true
}

// bounded is a listener that hangs up on those who are too many, rather than let them
// wait before everybody else.
type bounded struct {
	net.Listener

	conns *tally
	full  func() // told when somebody was too many
}

func (l bounded) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, _ := netip.ParseAddrPort(c.RemoteAddr().String()) // what has no address is one caller
		if release, ok := l.conns.take(groupOf(from.Addr())); ok {
			return &heldConn{c, release}, nil
		}
		_ = c.Close() // nothing was said
		l.full()
	}
}

type heldConn struct {
	net.Conn

	release func()
}

func (c *heldConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// CloseWrite is how net/http has a caller read the answer to what it goes on sending.
func (c *heldConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil // then there is none
}

package nodetest

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"

	ma "github.com/multiformats/go-multiaddr"
)

// backlog bounds the streams that one end has opened and the other not yet accepted, as yamux does.
const backlog = 256

// pair is a connection seen from above. ends[i] sends on wires[i].
type pair struct {
	links *Links
	ends  [2]*conn
	wires [2]*wire

	// links.mu protects what is below.
	severed bool          // an end was killed
	closed  int           // ends that are closed
	fatal   *time.Timer   // runs while either wire does not carry
	expires time.Duration // when fatal fires
}

// joins tells whether the node is at one end.
func (p *pair) joins(node int) bool {
	d := p.wires[0].line.direction
	return d.from == node || d.to == node
}

// expire ends a connection that could not carry both ways for the whole timeout.
func (p *pair) expire() {
	p.links.mu.Lock()
	dead := p.fatal != nil && p.links.now() >= p.expires // else the link was mended as the timer fired
	p.links.mu.Unlock()
	if !dead {
		return
	}
	for _, end := range p.ends {
		end.fail(&network.ConnError{TransportError: syscall.ETIMEDOUT})
	}
}

// ended notes that one end is closed. When both are, nothing is left to carry.
func (p *pair) ended() {
	p.links.mu.Lock()
	defer p.links.mu.Unlock()
	if p.closed++; p.closed < len(p.ends) {
		return
	}
	delete(p.links.pairs, p)
	if p.fatal != nil {
		p.fatal.Stop()
		p.fatal = nil
	}
	for _, w := range p.wires {
		w.set(severed)
	}
}

// addrs are the addresses of a connection as one end sees them.
type addrs struct{ local, remote ma.Multiaddr }

func (a addrs) LocalMultiaddr() ma.Multiaddr  { return a.local }
func (a addrs) RemoteMultiaddr() ma.Multiaddr { return a.remote }
func (a addrs) swap() addrs                   { return addrs{local: a.remote, remote: a.local} }

// conn is one end of a connection.
type conn struct {
	addrs
	transport *endpoint
	remoteID  peer.ID
	remoteKey crypto.PubKey
	scope     network.ConnManagementScope
	release   sync.Once // ends the scope
	pair      *pair
	out       *wire
	listener  *listener // where the connection is handed over at the listening end

	mu      sync.Mutex           // protects all below and every stream of this end
	changed sync.Cond            // on mu: a stream arrived, there is room for another, or the connection is closed
	streams map[*stream]struct{} // open in at least one direction
	arrived []*stream            // not yet accepted
	opening int                  // opened here and not yet accepted there
	err     error                // why the connection is closed
}

var _ transport.CapableConn = (*conn)(nil)

func newConn(p *pair, self, remote *endpoint, a addrs, scope network.ConnManagementScope) *conn {
	c := &conn{
		addrs: a, transport: self, remoteID: remote.id, remoteKey: remote.key,
		scope: scope, pair: p, streams: make(map[*stream]struct{}),
	}
	c.changed.L = &c.mu
	return c
}

func (c *conn) Transport() transport.Transport { return c.transport }
func (c *conn) LocalPeer() peer.ID             { return c.transport.id }
func (c *conn) RemotePeer() peer.ID            { return c.remoteID }
func (c *conn) RemotePublicKey() crypto.PubKey { return c.remoteKey }
func (c *conn) ConnState() network.ConnectionState {
	return network.ConnectionState{Transport: "memory"}
}
func (c *conn) Scope() network.ConnScope { return c.scope }
func (c *conn) As(any) bool              { return false }

func (c *conn) IsClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}

// Close closes this end at once and tells the other.
func (c *conn) Close() error { return c.CloseWithError(network.ConnNoError) }

// CloseWithError closes this end at once and tells the other why. What was written before still arrives there first.
func (c *conn) CloseWithError(code network.ConnErrorCode) error {
	if c.fail(&network.ConnError{ErrorCode: code}) {
		c.out.send(segment{kind: bye, n: uint32(code)})
	}
	c.release.Do(c.scope.Done)
	return nil
}

// fail closes this end without telling the other. It reports whether it was open.
func (c *conn) fail(err error) bool {
	c.mu.Lock()
	open := c.err == nil
	if open {
		c.failLocked(err)
	}
	c.mu.Unlock()
	if open {
		c.pair.ended()
	}
	return open
}

func (c *conn) failLocked(err error) {
	c.err = err
	for s := range c.streams {
		s.fail(err)
	}
	c.streams, c.arrived = nil, nil
	c.changed.Broadcast()
}

// OpenStream opens a stream. It waits while the other end has not accepted many opened before.
func (c *conn) OpenStream(ctx context.Context) (network.MuxedStream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opening >= backlog {
		defer context.AfterFunc(ctx, c.wake)()
	}
	for c.opening >= backlog && c.err == nil && ctx.Err() == nil {
		c.changed.Wait()
	}
	if c.err != nil {
		return nil, c.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	near, far := c.newStream(), c.out.to.newStream()
	near.twin, far.twin = far, near
	c.streams[near] = struct{}{}
	c.opening++
	c.out.line.count(Stats{Streams: 1})
	c.out.send(segment{kind: open, to: far})
	return near, nil
}

func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed.Broadcast()
}

// AcceptStream waits for a stream that the other end opened.
func (c *conn) AcceptStream() (network.MuxedStream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.arrived) == 0 && c.err == nil {
		c.changed.Wait()
	}
	if c.err != nil {
		return nil, c.err
	}
	s := c.arrived[0]
	c.arrived[0] = nil
	if c.arrived = c.arrived[1:]; len(c.arrived) == 0 {
		c.arrived = nil // with the room of a burst
	}
	c.out.send(segment{kind: taken})
	return s, nil
}

// welcome hands the listening end over when the dialler is done.
func (c *conn) welcome() {
	gater := c.transport.gater
	switch {
	case gater != nil && !gater.InterceptSecured(network.DirInbound, c.remoteID, c):
		_ = c.CloseWithError(network.ConnGated)
	case c.scope.SetPeer(c.remoteID) != nil:
		_ = c.CloseWithError(network.ConnResourceLimitExceeded)
	case !c.listener.offer(c):
		_ = c.CloseWithError(network.ConnShutdown)
	}
}

// receive takes what arrived on the wire from the other end.
func (c *conn) receive(segments []segment) {
	if segments[0].kind == hello {
		c.welcome()
		segments = segments[1:]
	}
	c.mu.Lock()
	wasOpen := c.err == nil
	for _, s := range segments {
		if c.err != nil {
			break
		}
		c.take(s)
	}
	over := wasOpen && c.err != nil
	c.mu.Unlock()
	if over {
		c.pair.ended()
	}
}

func (c *conn) take(s segment) {
	switch s.kind {
	case hello: // comes first and alone; see receive
	case open:
		c.streams[s.to] = struct{}{}
		c.arrived = append(c.arrived, s.to)
		c.changed.Broadcast()
	case taken:
		c.opening--
		c.changed.Broadcast()
	case data:
		s.to.accept(s.data)
	case credit:
		s.to.grant(int(s.n))
	case fin:
		s.to.finish()
	case reset:
		s.to.fail(&network.StreamError{ErrorCode: network.StreamErrorCode(s.n), Remote: true})
	case bye:
		c.failLocked(&network.ConnError{ErrorCode: network.ConnErrorCode(s.n), Remote: true})
	}
}

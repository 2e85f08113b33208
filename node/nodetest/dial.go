package nodetest

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"

	ma "github.com/multiformats/go-multiaddr"
)

var errGated = errors.New("refused by the connection gater")

// Dial connects to the peer that listens at an address. It takes two round trips.
func (e *endpoint) Dial(ctx context.Context, at ma.Multiaddr, id peer.ID) (transport.CapableConn, error) {
	c, err := e.dial(ctx, at, id)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", at, err)
	}
	return c, nil
}

func (e *endpoint) dial(ctx context.Context, at ma.Multiaddr, id peer.ID) (*conn, error) {
	scope, err := e.limits.OpenConnection(network.DirOutbound, true, at)
	if err != nil {
		return nil, err
	}
	c, err := e.handshake(ctx, at, id, scope)
	if err != nil {
		scope.Done()
	}
	return c, err
}

// handshake is TCP's, then Noise's with the muxer chosen on the way.
func (e *endpoint) handshake(ctx context.Context, at ma.Multiaddr, id peer.ID, scope network.ConnManagementScope) (*conn, error) {
	if err := scope.SetPeer(id); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, e.links.cfg.DialTimeout, syscall.ETIMEDOUT)
	defer cancel()
	near := addrs{local: e.source(), remote: at}
	lis, farScope, err := e.connect(ctx, near)
	if err != nil {
		return nil, err
	}
	if err := e.secure(ctx, lis, id, near); err != nil {
		farScope.Done()
		return nil, err
	}
	return e.join(lis, near, scope, farScope), nil
}

// connect finds who listens at the remote address, and lets it admit us.
func (e *endpoint) connect(ctx context.Context, near addrs) (*listener, network.ConnManagementScope, error) {
	there, ok := parse(near.remote)
	if !ok {
		return nil, nil, syscall.EAFNOSUPPORT
	}
	to, ok := e.links.owner(there.Addr())
	if !ok {
		<-ctx.Done() // nobody has the address
		return nil, nil, context.Cause(ctx)
	}
	e.links.line(direction{e.node, to}).count(Stats{Dials: 1})
	if err := e.links.roundTrip(ctx, e.node, to, synRTO); err != nil {
		return nil, nil, err
	}
	lis := e.links.listenerAt(to, there.Port())
	if lis == nil {
		return nil, nil, syscall.ECONNREFUSED
	}
	scope, err := lis.endpoint.admit(near.swap())
	if err != nil {
		return nil, nil, syscall.ECONNRESET
	}
	return lis, scope, nil
}

// admit lets an endpoint refuse an inbound connection by its address.
func (e *endpoint) admit(a addrs) (network.ConnManagementScope, error) {
	if e.gater != nil && !e.gater.InterceptAccept(a) {
		return nil, errGated
	}
	return e.limits.OpenConnection(network.DirInbound, true, a.remote)
}

// secure finds out who it is that listens.
func (e *endpoint) secure(ctx context.Context, lis *listener, id peer.ID, near addrs) error {
	way := direction{e.node, lis.endpoint.node}
	if err := e.links.roundTrip(ctx, way.from, way.to, e.links.rto(way)); err != nil {
		return err
	}
	if lis.endpoint.id != id {
		return sec.ErrPeerIDMismatch{Expected: id, Actual: lis.endpoint.id}
	}
	if e.gater != nil && !e.gater.InterceptSecured(network.DirOutbound, id, near) {
		return errGated
	}
	return nil
}

// join makes the connection and sends the end of the handshake, at which the listener hands over its end.
func (e *endpoint) join(lis *listener, near addrs, scope, farScope network.ConnManagementScope) *conn {
	l := e.links
	p := &pair{links: l}
	p.ends = [2]*conn{
		newConn(p, e, lis.endpoint, near, scope),
		newConn(p, lis.endpoint, e, near.swap(), farScope),
	}
	p.ends[1].listener = lis
	there, back := direction{e.node, lis.endpoint.node}, direction{lis.endpoint.node, e.node}
	l.mu.Lock()
	p.wires = [2]*wire{
		{line: l.lineLocked(there), to: p.ends[1]},
		{line: l.lineLocked(back), to: p.ends[0]},
	}
	p.ends[0].out, p.ends[1].out = p.wires[0], p.wires[1]
	l.pairs[p] = struct{}{}
	l.settleLocked(p)
	l.mu.Unlock()
	p.wires[0].line.count(Stats{Conns: 1})
	p.wires[0].send(segment{kind: hello})
	return p.ends[0]
}

// roundTrip waits until a packet went there and one came back. It sends again when it has waited patience, then twice as long, until ctx ends.
func (l *Links) roundTrip(ctx context.Context, from, to int, patience time.Duration) error {
	for ; ; patience = min(2*patience, maxRTO) {
		began := l.now()
		there, arrives := l.line(direction{from, to}).probe()
		back, returns := l.line(direction{to, from}).probe()
		if arrives && returns && l.connected(from, to) {
			if err := sleep(ctx, there+back); err != nil || l.connected(from, to) {
				return err
			}
		}
		if err := sleep(ctx, patience-(l.now()-began)); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package nodetest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/node/nodetest"
)

func TestConn_identity(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := connect(t, l)
		for i, c := range []transport.CapableConn{near, far} {
			self, other := peerID(t, i), peerID(t, 1-i)
			if c.LocalPeer() != self || c.RemotePeer() != other || !other.MatchesPublicKey(c.RemotePublicKey()) {
				t.Errorf("end %d: %v to %v", i, c.LocalPeer(), c.RemotePeer())
			}
		}
		if !near.RemoteMultiaddr().Equal(l.Addr(1)) || !far.LocalMultiaddr().Equal(l.Addr(1)) || !far.RemoteMultiaddr().Equal(near.LocalMultiaddr()) {
			t.Errorf("%v -> %v seen as %v -> %v", near.LocalMultiaddr(), near.RemoteMultiaddr(), far.RemoteMultiaddr(), far.LocalMultiaddr())
		}
	})
}

// The dialler is connected after two round trips, the listener half a round trip later.
func TestDial_takesTwoRoundTrips(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		began := time.Now()
		lis := listen(t, l, newTransport(t, l, 1, nil, nil), 1)
		go func() {
			c, err := lis.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			if d := time.Since(began); d != 5*latency {
				t.Errorf("listener was connected after %v", d)
			}
			closeAll(t, c)
		}()
		c, err := newTransport(t, l, 0, nil, nil).Dial(t.Context(), l.Addr(1), peerID(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d != 4*latency {
			t.Errorf("dialler was connected after %v", d)
		}
		elapse(latency)
		closeAll(t, c)
	})
}

func TestDial_failures(t *testing.T) {
	at := func(l *nodetest.Links, node int, port string) ma.Multiaddr {
		return l.Addr(node)[:1].Encapsulate(ma.StringCast("/tcp/" + port))
	}
	for name, c := range map[string]struct {
		at   func(l *nodetest.Links) ma.Multiaddr
		peer int
		want func(error) bool
		took time.Duration
	}{
		"another peer listens": {func(l *nodetest.Links) ma.Multiaddr { return l.Addr(1) }, 2, isMismatch, 4 * latency},
		"nobody listens":       {func(l *nodetest.Links) ma.Multiaddr { return at(l, 1, "99") }, 1, is(syscall.ECONNREFUSED), 2 * latency},
		"nobody has it":        {func(*nodetest.Links) ma.Multiaddr { return ma.StringCast("/ip4/1.2.255.255/tcp/1") }, 1, is(syscall.ETIMEDOUT), 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
				near, far := new(countingLimits), new(countingLimits)
				listen(t, l, newTransport(t, l, 1, far, nil), 1)
				var err error
				d := took(func() {
					_, err = newTransport(t, l, 0, near, nil).Dial(t.Context(), c.at(l), peerID(t, c.peer))
				})
				if !c.want(err) || d != c.took {
					t.Errorf("dial failed after %v, want %v: %v", d, c.took, err)
				}
				near.mustBeFree(t)
				far.mustBeFree(t)
			})
		})
	}
}

func is(want error) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

func isMismatch(err error) bool {
	var mismatch sec.ErrPeerIDMismatch
	return errors.As(err, &mismatch)
}

func TestDial_endsWithContext(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		dialler := newTransport(t, l, 0, nil, nil)
		ctx, cancel := context.WithTimeout(t.Context(), latency)
		defer cancel()
		if _, err := dialler.Dial(ctx, l.Addr(1), peerID(t, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial: %v", err)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := dialler.Dial(cancelled, l.Addr(1), peerID(t, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("dial: %v", err)
		}
	})
}

// A gater refuses by address during the dial, and by peer id only when the dialler believes to be connected.
func TestDial_refusedByGater(t *testing.T) {
	for name, c := range map[string]struct {
		gater  refusing
		onDial bool
	}{
		"by address": {refusing{address: true}, true},
		"by peer id": {refusing{peer: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
				near, far := new(countingLimits), new(countingLimits)
				listen(t, l, newTransport(t, l, 1, far, c.gater), 1)
				conn, err := newTransport(t, l, 0, near, nil).Dial(t.Context(), l.Addr(1), peerID(t, 1))
				if (err != nil) != c.onDial {
					t.Fatalf("dial: %v", err)
				}
				if err == nil {
					_, err = conn.AcceptStream()
					if want := (&network.ConnError{ErrorCode: network.ConnGated, Remote: true}); !errors.Is(err, want) {
						t.Errorf("closed with %v", err)
					}
					closeAll(t, conn)
				}
				near.mustBeFree(t)
				far.mustBeFree(t)
			})
		})
	}
}

func TestConn_closeWithError(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := connect(t, l)
		nearStream, farStream := openStream(t, near, far)
		if err := near.CloseWithError(network.ConnGarbageCollected); err != nil {
			t.Fatal(err)
		}
		if !near.IsClosed() || far.IsClosed() {
			t.Error("the other end knows before it can")
		}
		if d := took(func() { _, _ = far.AcceptStream() }); d != latency || !far.IsClosed() {
			t.Errorf("the other end was told after %v", d)
		}
		for _, end := range []struct {
			conn   transport.CapableConn
			stream network.MuxedStream
			remote bool
		}{{near, nearStream, false}, {far, farStream, true}} {
			want := &network.ConnError{ErrorCode: network.ConnGarbageCollected, Remote: end.remote}
			_, accept := end.conn.AcceptStream()
			_, open := end.conn.OpenStream(t.Context())
			_, write := end.stream.Write([]byte("x"))
			for _, err := range []error{accept, open, write, readError(end.stream)} {
				if !errors.Is(err, want) || !errors.Is(err, network.ErrReset) {
					t.Errorf("remote %v: %v", end.remote, err)
				}
			}
		}
	})
}

// Closing the listener closes what nobody accepted, and frees the address.
func TestListener_close(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		limits := new(countingLimits)
		tr := newTransport(t, l, 1, limits, nil)
		lis := listen(t, l, tr, 1)
		if _, err := tr.Listen(l.Addr(1)); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("second listener: %v", err)
		}
		if _, err := tr.Listen(l.Addr(2)); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("listener at another's address: %v", err)
		}
		conn, err := newTransport(t, l, 0, nil, nil).Dial(t.Context(), l.Addr(1), peerID(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		elapse(latency)
		closeAll(t, lis)
		if _, err := lis.Accept(); !errors.Is(err, transport.ErrListenerClosed) {
			t.Errorf("accept: %v", err)
		}
		if _, err := conn.AcceptStream(); !errors.Is(err, &network.ConnError{ErrorCode: network.ConnShutdown, Remote: true}) {
			t.Errorf("dialled: %v", err)
		}
		limits.mustBeFree(t)
		listen(t, l, tr, 1)
	})
}

// A node that accepts no streams stops those who open them, and a context frees these.
func TestConn_openStreamWaitsForAccept(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := connect(t, l)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		opened := 0
		var err error
		for ; err == nil; opened++ {
			_, err = near.OpenStream(ctx)
		}
		if opened--; opened != 256 || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("opened %d: %v", opened, err)
		}
		time.AfterFunc(time.Second, func() { _, _ = far.AcceptStream() })
		if d := took(func() { _, err = near.OpenStream(t.Context()) }); err != nil || d != time.Second+latency {
			t.Errorf("opened after %v: %v", d, err)
		}
		time.AfterFunc(time.Second, func() { closeAll(t, near) })
		if _, err := near.OpenStream(t.Context()); !errors.Is(err, network.ErrReset) {
			t.Errorf("opened on a closed connection: %v", err)
		}
	})
}

// A connection forgets a stream once both directions ended, however they did, so that long simulations do not grow.
func TestConn_forgetsStreams(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := connect(t, l)
		remembered := func() [2]int {
			elapse(time.Second)
			return [2]int{nodetest.OpenStreams(near), nodetest.OpenStreams(far)}
		}
		nearStream, farStream := openStream(t, near, far)
		if err := nearStream.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if n := remembered(); n != [2]int{1, 1} {
			t.Errorf("half closed: %v", n)
		}
		closeAll(t, farStream)
		if n := remembered(); n != [2]int{0, 0} {
			t.Errorf("closed: %v", n)
		}
		nearStream, _ = openStream(t, near, far)
		if err := nearStream.Reset(); err != nil {
			t.Fatal(err)
		}
		if n := remembered(); n != [2]int{0, 0} {
			t.Errorf("reset: %v", n)
		}
	})
}

// refusing is a gater that refuses inbound connections.
type refusing struct {
	connmgr.ConnectionGater
	address, peer bool
}

func (r refusing) InterceptAccept(network.ConnMultiaddrs) bool { return !r.address }

func (r refusing) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return !r.peer
}

// countingLimits is a resource manager without limits that counts the connections it was not told the end of.
type countingLimits struct {
	network.NullResourceManager
	held, seen atomic.Int64
}

type countedScope struct {
	network.NullScope
	limits *countingLimits
}

func (c *countingLimits) OpenConnection(network.Direction, bool, ma.Multiaddr) (network.ConnManagementScope, error) {
	c.seen.Add(1)
	c.held.Add(1)
	return &countedScope{limits: c}, nil
}

func (s *countedScope) Done() { s.limits.held.Add(-1) }

func (c *countingLimits) mustBeFree(tb testing.TB) {
	tb.Helper()
	synctest.Wait()
	if c.seen.Load() > 0 && c.held.Load() != 0 {
		tb.Errorf("%d of %d connection scopes are not done", c.held.Load(), c.seen.Load())
	}
}

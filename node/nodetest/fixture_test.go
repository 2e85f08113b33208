package nodetest_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"

	"github.com/starling-social/starling/node/nodetest"
)

const (
	latency = 20 * time.Millisecond // of a link, unless a test says otherwise
	window  = 256 << 10
)

// key returns the same key for the same node each time.
func key(tb testing.TB, node int) crypto.PrivKey {
	tb.Helper()
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(node)+1)
	k, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func peerID(tb testing.TB, node int) peer.ID {
	tb.Helper()
	id, err := peer.IDFromPrivateKey(key(tb, node))
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// newTransport makes a node's transport with a resource manager and a gater, both of which may be nil.
func newTransport(tb testing.TB, l *nodetest.Links, node int, limits network.ResourceManager, gater connmgr.ConnectionGater) transport.Transport {
	tb.Helper()
	if limits == nil {
		limits = &network.NullResourceManager{}
	}
	tr, err := l.Transport(node)(key(tb, node), limits, gater)
	if err != nil {
		tb.Fatal(err)
	}
	return tr
}

func listen(tb testing.TB, l *nodetest.Links, tr transport.Transport, node int) transport.Listener {
	tb.Helper()
	lis, err := tr.Listen(l.Addr(node))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeAll(tb, lis) })
	return lis
}

// connect returns both ends of a connection that node 0 dialled to node 1.
func connect(tb testing.TB, l *nodetest.Links) (near, far transport.CapableConn) {
	tb.Helper()
	lis := listen(tb, l, newTransport(tb, l, 1, nil, nil), 1)
	near, err := newTransport(tb, l, 0, nil, nil).Dial(tb.Context(), l.Addr(1), peerID(tb, 1))
	if err != nil {
		tb.Fatal(err)
	}
	far, err = lis.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeAll(tb, near, far) })
	return near, far
}

// openStream returns both ends of a stream.
func openStream(tb testing.TB, from, to transport.CapableConn) (near, far network.MuxedStream) {
	tb.Helper()
	near, err := from.OpenStream(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	far, err = to.AcceptStream()
	if err != nil {
		tb.Fatal(err)
	}
	return near, far
}

// streams returns both ends of a stream of a new connection between nodes 0 and 1.
func streams(tb testing.TB, l *nodetest.Links) (near, far network.MuxedStream) {
	tb.Helper()
	a, b := connect(tb, l)
	return openStream(tb, a, b)
}

func closeAll(tb testing.TB, closers ...io.Closer) {
	tb.Helper()
	for _, c := range closers {
		if err := c.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	}
}

// elapse lets virtual time pass, and everything happen that happens by then.
func elapse(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

// took returns how long f takes in virtual time.
func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// inBubble runs a scenario in virtual time with default links, and checks that it leaves no connection behind.
func inBubble(t *testing.T, cfg nodetest.LinksConfig, scenario func(t *testing.T, l *nodetest.Links)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := nodetest.NewLinks(cfg)
		t.Cleanup(func() {
			elapse(time.Minute) // for what is under way
			if n := l.Open(); n != 0 {
				t.Errorf("%d connections left open", n)
			}
		})
		scenario(t, l)
	})
}

// uniform describes all links alike.
func uniform(link nodetest.Link) func(int, int) nodetest.Link {
	return func(int, int) nodetest.Link { return link }
}

func mustWrite(tb testing.TB, s network.MuxedStream, text string) {
	tb.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		tb.Fatalf("write %q: %v", text, err)
	}
}

// mustRead reads as much as the text is long and compares.
func mustRead(tb testing.TB, s network.MuxedStream, text string) {
	tb.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(s, got); err != nil {
		tb.Fatalf("read %q: %v", text, err)
	}
	if string(got) != text {
		tb.Fatalf("read %q, want %q", got, text)
	}
}

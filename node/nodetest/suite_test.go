package nodetest_test

import (
	"testing"
	"time"

	ttransport "github.com/libp2p/go-libp2p/p2p/transport/testsuite"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/node/nodetest"
)

// TestTransport_libp2pSuite runs go-libp2p's own transport tests in virtual time. They expect a reset to cross within 50 ms.
func TestTransport_libp2pSuite(t *testing.T) {
	cfg := nodetest.LinksConfig{Link: uniform(nodetest.Link{Latency: 5 * time.Millisecond})}
	inBubble(t, cfg, func(t *testing.T, l *nodetest.Links) {
		a, b := newTransport(t, l, 0, nil, nil), newTransport(t, l, 1, nil, nil)
		anyPort := l.Addr(0)[:1].String() + "/tcp/0"
		for _, subtest := range ttransport.Subtests { // not SubtestTransport: a bubble has no t.Run
			subtest(t, a, b, ma.StringCast(anyPort), peerID(t, 0))
		}
	})
}

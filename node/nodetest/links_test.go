package nodetest_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p-kbucket/peerdiversity"
	"github.com/libp2p/go-libp2p/core/peer"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/starling-social/starling/node/nodetest"
)

// Every node has a public address in an IP group of its own, as kad-dht's diversity filter counts them.
func TestAddr_diverse(t *testing.T) {
	const nodes = 5000
	l := nodetest.NewLinks(nodetest.LinksConfig{})
	groups := ipGroups(t, l, nodes)
	if len(groups) != nodes {
		t.Errorf("%d nodes are in %d groups", nodes, len(groups))
	}
}

func TestAddr_sharedSubnet(t *testing.T) {
	l := nodetest.NewLinks(nodetest.LinksConfig{Subnet: func(node int) int { return node % 10 }})
	for group, members := range ipGroups(t, l, 1000) {
		if members != 100 {
			t.Errorf("%d nodes are in group %x", members, group)
		}
	}
}

// ipGroups checks the addresses of nodes and counts the nodes of each group.
func ipGroups(t *testing.T, l *nodetest.Links, nodes int) map[peerdiversity.PeerIPGroupKey]int {
	t.Helper()
	groups, seen := make(map[peerdiversity.PeerIPGroupKey]int), make(map[string]bool)
	filter := &groupCounter{groups: groups}
	f, err := peerdiversity.NewFilter(filter, "test", func(peer.ID) int { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	for node := range nodes {
		filter.addr = l.Addr(node)
		if !manet.IsPublicAddr(filter.addr) || seen[filter.addr.String()] {
			t.Fatalf("node %d has address %v", node, filter.addr)
		}
		seen[filter.addr.String()] = true
		if !f.TryAdd(peer.ID(binary.BigEndian.AppendUint32(nil, uint32(node)))) {
			t.Fatalf("node %d was not added", node)
		}
	}
	return groups
}

// groupCounter lets a diversity filter group addresses, and refuses nobody.
type groupCounter struct {
	addr   ma.Multiaddr
	groups map[peerdiversity.PeerIPGroupKey]int
}

func (g *groupCounter) Allow(peerdiversity.PeerGroupInfo) bool       { return true }
func (g *groupCounter) Increment(info peerdiversity.PeerGroupInfo)   { g.groups[info.IPGroupKey]++ }
func (g *groupCounter) Decrement(peerdiversity.PeerGroupInfo)        {}
func (g *groupCounter) PeerAddresses(peer.ID) (addrs []ma.Multiaddr) { return []ma.Multiaddr{g.addr} }

// Each direction of a link may differ, and may change while traffic runs.
func TestLink_directionsAndShape(t *testing.T) {
	cfg := nodetest.LinksConfig{Link: func(from, to int) nodetest.Link {
		return nodetest.Link{Latency: time.Duration(10*from+to) * time.Millisecond}
	}}
	inBubble(t, cfg, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		there := func() time.Duration { return took(func() { mustWrite(t, near, "x"); mustRead(t, far, "x") }) }
		back := func() time.Duration { return took(func() { mustWrite(t, far, "x"); mustRead(t, near, "x") }) }
		if there, back := there(), back(); there != time.Millisecond || back != 10*time.Millisecond {
			t.Errorf("there %v, back %v", there, back)
		}
		l.Shape(uniform(nodetest.Link{Latency: time.Second}))
		if there, back := there(), back(); there != time.Second || back != time.Second {
			t.Errorf("after the change: there %v, back %v", there, back)
		}
	})
}

// Bandwidth is shared by all streams of a link.
func TestLink_bandwidth(t *testing.T) {
	cfg := nodetest.LinksConfig{Link: uniform(nodetest.Link{Latency: latency, Bandwidth: 100_000})}
	inBubble(t, cfg, func(t *testing.T, l *nodetest.Links) {
		a, b := connect(t, l)
		near1, far1 := openStream(t, a, b)
		near2, far2 := openStream(t, a, b)
		half := string(make([]byte, 50_000))
		mustWrite(t, near1, half)
		mustWrite(t, near2, half)
		if d := took(func() { mustRead(t, far1, half) }); d != time.Second/2+latency {
			t.Errorf("the first 50 kB at 100 kB/s took %v", d)
		}
		if d := took(func() { mustRead(t, far2, half) }); d != time.Second/2 {
			t.Errorf("the second 50 kB took %v more", d)
		}
	})
}

func TestLink_jitterStaysInBounds(t *testing.T) {
	const seed, jitter = 11, 30 * time.Millisecond
	cfg := nodetest.LinksConfig{Seed: seed, Link: uniform(nodetest.Link{Latency: latency, Jitter: jitter})}
	inBubble(t, cfg, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		var shortest, longest time.Duration = time.Hour, 0
		for range 200 {
			d := took(func() { mustWrite(t, near, "x"); mustRead(t, far, "x") })
			shortest, longest = min(shortest, d), max(longest, d)
		}
		if shortest < latency || shortest > latency+jitter/10 || longest > latency+jitter || longest < latency+jitter*9/10 {
			t.Errorf("seed %d: from %v to %v", seed, shortest, longest)
		}
	})
}

// With a grain everything arrives at whole multiples of it, in its order, and less than
// a grain later than without.
func TestLinks_grain(t *testing.T) {
	const grain = 7 * time.Millisecond
	fine := nodetest.LinksConfig{Seed: 3, Link: uniform(nodetest.Link{Latency: latency, Jitter: 30 * time.Millisecond})}
	coarse := fine
	coarse.Grain = grain
	crossings := func(cfg nodetest.LinksConfig) (all []nodetest.Crossing) {
		var mu sync.Mutex // protects all
		cfg.Watch = func(c nodetest.Crossing) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, c)
		}
		inBubble(t, cfg, func(t *testing.T, l *nodetest.Links) {
			near, far := streams(t, l)
			for i := range 50 {
				mustWrite(t, near, string(rune('a'+i)))
			}
			for i := range 50 {
				mustRead(t, far, string(rune('a'+i)))
			}
		})
		return all
	}
	early := 0
	for _, c := range crossings(fine) {
		if c.Arrives%grain != 0 {
			early++
		}
	}
	if early == 0 {
		t.Fatal("everything arrives at multiples of the grain anyway")
	}
	for _, c := range crossings(coarse) {
		late := c.Arrives - c.Sent - latency - 30*time.Millisecond
		if c.Arrives%grain != 0 || c.Arrives-c.Sent < latency || late >= grain {
			t.Errorf("sent after %v, arrived after %v", c.Sent, c.Arrives)
		}
	}
}

// Loss makes a transfer slower, the more the worse, and changes no byte. The same seed gives the same delay.
func TestLink_lossSlows(t *testing.T) {
	const seed = 5
	transfer := func(seed uint64, loss float64) (d time.Duration) {
		cfg := nodetest.LinksConfig{Seed: seed, Link: uniform(nodetest.Link{Latency: latency, Loss: loss}), DialTimeout: time.Hour}
		inBubble(t, cfg, func(t *testing.T, l *nodetest.Links) {
			near, far := streams(t, l)
			sent := randomBytes(4, 500_000)
			go writeParts(t, near, sent, []int{len(sent)})
			var got []byte
			var err error
			if d = took(func() { got, err = io.ReadAll(far) }); !bytes.Equal(got, sent) || err != nil {
				t.Errorf("seed %d, loss %v: read %d of %d bytes, %v", seed, loss, len(got), len(sent), err)
			}
		})
		return d
	}
	none, some, much := transfer(seed, 0), transfer(seed, 0.02), transfer(seed, 0.4)
	if some <= none+200*time.Millisecond || much <= 2*some {
		t.Errorf("seed %d: took %v, with 2 %% loss %v, with 40 %% %v", seed, none, some, much)
	}
	if again := transfer(seed, 0.4); again != much {
		t.Errorf("seed %d: took %v once and %v the next time", seed, much, again)
	}
	if other := transfer(seed+1, 0.4); other == much {
		t.Errorf("seeds %d and %d: both took %v", seed, seed+1, other)
	}
}

// Lost packets of a handshake delay a dial by seconds, and some dials fail.
func TestLink_lossFailsDials(t *testing.T) {
	const seed, dials = 3, 200
	cfg := nodetest.LinksConfig{Seed: seed, Link: uniform(nodetest.Link{Latency: latency, Loss: 0.4})}
	inBubble(t, cfg, func(t *testing.T, l *nodetest.Links) {
		listen(t, l, newTransport(t, l, 1, nil, nil), 1)
		dialler := newTransport(t, l, 0, nil, nil)
		failed, slow := 0, 0
		for range dials {
			d := took(func() {
				c, err := dialler.Dial(t.Context(), l.Addr(1), peerID(t, 1))
				if err != nil {
					failed++
					return
				}
				closeAll(t, c)
			})
			if d >= time.Second {
				slow++
			}
		}
		if failed < dials/10 || failed > dials/2 || slow < dials/2 {
			t.Errorf("seed %d: of %d dials %d failed and %d were slow", seed, dials, failed, slow)
		}
		if s := l.Sent(0, 1); s.Dials != dials || s.Conns != int64(dials-failed) {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestStats_count(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		mustWrite(t, near, "1234")
		mustRead(t, far, "1234")
		mustWrite(t, far, "12")
		mustRead(t, near, "12")
		there := nodetest.Stats{Dials: 1, Conns: 1, Streams: 1, Segments: 3, Bytes: 4} // hello, open, data
		back := nodetest.Stats{Segments: 2, Bytes: 2}                                  // taken, data
		for name, c := range map[string]struct{ got, want nodetest.Stats }{
			"there": {l.Sent(0, 1), there}, "back": {l.Sent(1, 0), back},
			"by 0": {l.SentBy(0), there}, "to 0": {l.SentTo(0), back},
			"all": {l.Stats(), there.Plus(back)}, "nobody": {l.SentBy(7), nodetest.Stats{}},
		} {
			if c.got != c.want {
				t.Errorf("%s: %+v, want %+v", name, c.got, c.want)
			}
		}
	})
}

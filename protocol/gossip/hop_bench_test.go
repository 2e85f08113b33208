package gossip_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/gossip"
	"github.com/starling-social/starling/records"
)

// BenchmarkHop is what it costs to receive a post, verify it and pass it on, over TCP and Noise on loopback. Three hosts
// stand in a line; the outer ones are pubsub's own, without verification, in both cases. The middle one is once pubsub's
// own too and once ours, so that the difference is ours. It reports processor time, of all three and the kernel:
//
//	raw-ns        a message through pubsub's own
//	verify-ns     an Ed25519 verification of a record's size
//	hop-ns        a post through ours
//	hop/raw       their ratio
//	hop/parts     to the sum of what it is made of
func BenchmarkHop(b *testing.B) {
	network, err := records.TestNetwork("bench")
	if err != nil {
		b.Fatal(err)
	}
	posts := benchPosts(b, network, b.N)
	var raw, hop, verify float64
	for part := range slices.Chunk(posts, max(1, (len(posts)+rounds-1)/rounds)) {
		weight := float64(len(part)) / float64(len(posts))
		raw += weight * perPost(b, network, part, plainMiddle)
		hop += weight * perPost(b, network, part, ourMiddle)
		verify += weight * verifyCost(b, len(posts[0].Bytes()))
	}
	b.ReportMetric(0, "ns/op") // of both lines and their making: the cost of nothing
	b.ReportMetric(raw, "raw-ns")
	b.ReportMetric(verify, "verify-ns")
	b.ReportMetric(hop, "hop-ns")
	b.ReportMetric(hop/raw, "hop/raw")
	b.ReportMetric(hop/(raw+verify), "hop/parts")
}

// rounds are taken in turn, because the speed of a shared machine changes.
const rounds = 4

func benchPosts(b *testing.B, n records.Network, count int) []*records.Record {
	b.Helper()
	w := records.AuthorSigner(records.KeyFromSeed(seed(1)))
	text := strings.Repeat("some words about birds ", 12)
	posts := make([]*records.Record, count)
	for i := range posts {
		var salt [8]byte
		binary.BigEndian.PutUint64(salt[:], uint64(i))
		d, err := records.NewPost(records.MillisOf(time.Now()), salt, records.PostHead{Tags: []records.Tag{birds}}, records.PostBody{Text: text})
		if err != nil {
			b.Fatal(err)
		}
		if posts[i], err = records.Seal(b.Context(), n, w, d); err != nil {
			b.Fatal(err)
		}
	}
	return posts
}

// perPost sends posts down a line of three and returns the processor time of one, in nanoseconds.
func perPost(b *testing.B, n records.Network, posts []*records.Record, middle func(context.Context, *testing.B, records.Network, host.Host)) float64 {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	hosts := [3]host.Host{loopbackHost(b), loopbackHost(b), loopbackHost(b)}
	defer func() {
		cancel()
		for _, h := range hosts {
			_ = h.Close()
		}
	}()
	middle(ctx, b, n, hosts[1])
	first, last := plain(ctx, b, n, hosts[0]), plain(ctx, b, n, hosts[2])
	sub, err := last.Subscribe()
	if err != nil {
		b.Fatal(err)
	}
	for _, h := range []host.Host{hosts[0], hosts[2]} {
		if err := h.Connect(ctx, peer.AddrInfo{ID: hosts[1].ID(), Addrs: hosts[1].Addrs()}); err != nil {
			b.Fatal(err)
		}
	}
	await(b, func() bool { return len(first.ListPeers()) == 1 && len(last.ListPeers()) == 1 })
	pause(2 * time.Second) // a heartbeat, in which the mesh forms
	began := processorTime(b)
	const window = 24 // less than pubsub's own queues hold
	for i := range len(posts) + window {
		if i < len(posts) {
			if err := first.Publish(ctx, posts[i].Bytes()); err != nil {
				b.Fatal(err)
			}
		}
		if i >= window {
			if _, err := sub.Next(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	return float64(processorTime(b)-began) / float64(len(posts))
}

func plainMiddle(ctx context.Context, b *testing.B, n records.Network, h host.Host) {
	if _, err := plain(ctx, b, n, h).Relay(); err != nil {
		b.Fatal(err)
	}
}

func ourMiddle(ctx context.Context, b *testing.B, n records.Network, h host.Host) {
	g, err := gossip.New(gossip.Config{
		Host: h, Network: n, Door: records.NewDoor(n, 1024),
		Relays: func(context.Context, records.Coordinate) ([]peer.ID, error) { return nil, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	g.SetRelayed(func(shard byte) bool { return shard == protocol.ShardOf(birds) })
	go func() { _ = g.Run(ctx) }()
}

func plain(ctx context.Context, b *testing.B, n records.Network, h host.Host) *pubsub.Topic {
	b.Helper()
	w := &world{network: n}
	ps, err := pubsub.NewGossipSub(ctx, h, w.plainPubsub()...)
	if err != nil {
		b.Fatal(err)
	}
	topic, err := ps.Join(*w.topic(birds))
	if err != nil {
		b.Fatal(err)
	}
	return topic
}

func loopbackHost(b *testing.B) host.Host {
	b.Helper()
	h, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
	)
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// verifyCost is the time of one verification of a message of the given size, in nanoseconds.
func verifyCost(b *testing.B, size int) float64 {
	b.Helper()
	s := seed(1)
	key := ed25519.NewKeyFromSeed(s[:])
	message := make([]byte, size)
	signature := ed25519.Sign(key, message)
	const times = 2000
	began := processorTime(b)
	for range times {
		if !ed25519.Verify(key.Public().(ed25519.PublicKey), message, signature) {
			b.Fatal("does not hold")
		}
	}
	return float64(processorTime(b)-began) / times
}

// await waits for a condition that other goroutines bring about.
func await(b *testing.B, done func() bool) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			b.Fatal("waited for a minute")
		}
		pause(time.Millisecond)
	}
}

func pause(d time.Duration) { <-time.NewTimer(d).C }

// processorTime is what this process has used, in nanoseconds.
func processorTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

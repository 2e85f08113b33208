package exchange_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"io"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// These benchmarks compare the exchange with the bare costs that it stands on,
// measured in the same run: a ping of the same bytes over a stream of its own with
// as many in flight, the Ed25519 verifications, and protobuf at both ends. Both
// ends share the machine's cores, so the honest measure is processor time:
// x-bare-cpu is ours over the sum of those. x-bare is the same by the clock.

// transports are the addresses that the benchmarks listen on.
var transports = []struct{ name, addr string }{
	{"tcp", "/ip4/127.0.0.1/tcp/0"},
	{"quic", "/ip4/127.0.0.1/udp/0/quic-v1"},
}

// cost is what something took.
type cost struct{ clock, cpu time.Duration }

// spend adds what f takes.
func (c *cost) spend(f func()) {
	began, used := time.Now(), cpuTime()
	f()
	c.clock += time.Since(began)
	c.cpu += cpuTime() - used
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// nodeHeap is what a node keeps in memory beside all this: the records that its
// door remembers alone are as much. Without it the collector would run every few
// milliseconds here, which it does in no node.
const nodeHeap = 32 << 20

// against runs b.N times ours and each of the bare costs, which do something n
// times, in turns short enough that the machine is as busy for all of them.
func against(b *testing.B, turn int, ours func(n int), bare ...func(n int)) {
	b.Helper()
	heap := make([]byte, nodeHeap)
	defer runtime.KeepAlive(heap)
	var us, them cost
	for left := b.N; left > 0; left -= turn {
		n := min(left, turn)
		us.spend(func() { ours(n) })
		for _, f := range bare {
			them.spend(func() { f(n) })
		}
	}
	n := float64(b.N)
	b.ReportMetric(n/us.clock.Seconds(), "per-s")
	b.ReportMetric(us.cpu.Seconds()*1e6/n, "cpu-µs")
	b.ReportMetric(them.cpu.Seconds()*1e6/n, "bare-cpu-µs")
	b.ReportMetric(us.clock.Seconds()/them.clock.Seconds(), "x-bare")
	b.ReportMetric(us.cpu.Seconds()/them.cpu.Seconds(), "x-bare-cpu")
	b.ReportMetric(0, "ns/op") // said by per-s
}

// atOnce calls f with 0 to n-1 from k goroutines.
func atOnce(n, k int, f func(i int)) {
	var workers sync.WaitGroup
	for w := range k {
		workers.Go(func() {
			for i := w; i < n; i += k {
				f(i)
			}
		})
	}
	workers.Wait()
}

// accepting is a store that takes everything and has one bucket.
type accepting struct{ bucket records.Bucket }

func (accepting) Merge(_ context.Context, puts []records.Put) ([]records.Outcome, error) {
	out := make([]records.Outcome, len(puts))
	for i := range out {
		out[i].Status = records.Stored
	}
	return out, nil
}

func (a accepting) Bucket(records.Query) (records.Bucket, error) { return a.bucket, nil }

// hosts are two that are connected over loopback.
func hosts(b *testing.B, addr string) (near, far host.Host) {
	b.Helper()
	two := [2]host.Host{}
	for i := range two {
		h, err := libp2p.New(libp2p.ListenAddrStrings(addr), libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = h.Close() })
		two[i] = h
	}
	if err := two[0].Connect(b.Context(), peer.AddrInfo{ID: two[1].ID(), Addrs: two[1].Addrs()}); err != nil {
		b.Fatal(err)
	}
	return two[0], two[1]
}

// pair is a client and a server that remember no record, on two hosts.
func pair(b *testing.B, near, far host.Host, store exchange.Store, remember int) *exchange.Client {
	b.Helper()
	s := exchange.NewServer(exchange.ServerConfig{
		Host: far, Door: records.NewDoor(net(b), 1), Store: store, Region: region{},
		Status: func() exchange.Status { return exchange.Status{} },
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
	c := exchange.NewClient(exchange.ClientConfig{Host: near, Door: records.NewDoor(net(b), remember)})
	b.Cleanup(c.Close)
	for {
		if _, err := c.Status(b.Context(), far.ID()); err == nil {
			return c
		}
		runtime.Gosched() // until the server has begun
	}
}

// inFlight is how many requests are outstanding on the one stream.
const inFlight = 64

func BenchmarkPut(b *testing.B) {
	rs := posts(b, 1, 4096, "cats", "dogs")
	for _, tr := range transports {
		b.Run(tr.name, func(b *testing.B) {
			near, far := hosts(b, tr.addr)
			c := pair(b, near, far, accepting{}, 1)
			req := putRequest(1, records.Put{Place: month(rs[0]), Record: rs[0]})
			reply := &pb.Reply{Id: 1, Body: &pb.Reply_Put{Put: &pb.PutReply{Outcomes: []*pb.Outcome{{Verdict: pb.Verdict_VERDICT_STORED}}}}}
			next := 0
			against(b, 4096, func(n int) {
				atOnce(n, inFlight, func(i int) {
					r := rs[(next+i)%len(rs)]
					mustPut(b, c, far.ID(), records.Put{Place: month(r), Record: r})
				})
				next += n
			}, ping(b, near, far, inFlight, req, reply), verify(rs[:1]), coding(b, req), coding(b, reply))
		})
	}
}

// One request at a time: what queues, goroutines and timers add to a round trip.
func BenchmarkStatus(b *testing.B) {
	req, reply := statusRequest(1), statusReply(1)
	for _, tr := range transports {
		b.Run(tr.name, func(b *testing.B) {
			near, far := hosts(b, tr.addr)
			c := pair(b, near, far, accepting{}, 1)
			against(b, 512, func(n int) {
				for range n {
					if _, err := c.Status(b.Context(), far.ID()); err != nil {
						b.Error(err)
					}
				}
			}, ping(b, near, far, 1, req, reply))
		})
	}
}

func BenchmarkFetch(b *testing.B) {
	rs := posts(b, 1, 64, "cats", "dogs")
	place := month(rs[0])
	s := records.NewState(net(b), place)
	for _, r := range rs {
		s.Merge(r)
	}
	query := newest(place, 64)
	bucket := s.Bucket(query)
	req, reply := fetchRequest(1, query), bucketReply(bucket)
	for _, k := range []struct {
		name     string
		remember int // records, by the reader's door
		each     func(n int)
	}{{"unknown", 1, verify(rs)}, {"known", 1024, digest(rs)}} {
		for _, tr := range transports {
			b.Run(k.name+"/"+tr.name, func(b *testing.B) {
				near, far := hosts(b, tr.addr)
				c := pair(b, near, far, accepting{bucket}, k.remember)
				mustFetch(b, c, far.ID(), query)
				against(b, 512, func(n int) {
					atOnce(n, inFlight, func(int) { mustFetch(b, c, far.ID(), query) })
				}, ping(b, near, far, inFlight, req, reply), k.each, coding(b, req), coding(b, reply))
			})
		}
	}
}

func bucketReply(b records.Bucket) *pb.Reply {
	m := &pb.Bucket{Records: bytesOf(b.Records...), Count: uint32(b.Count), Fingerprint: &pb.Fingerprint{Count: b.Fingerprint.Count, Sum: b.Fingerprint.Sum[:]}}
	return &pb.Reply{Id: 1, Body: &pb.Reply_Fetch{Fetch: &pb.FetchReply{Buckets: []*pb.Bucket{m}}}}
}

// ping sends as many bytes there and back on a stream of their own, with as many
// outstanding.
func ping(b *testing.B, near, far host.Host, window int, req, reply proto.Message) func(n int) {
	b.Helper()
	const id = "/starling/benchmark"
	there, back := len(mustFrame(b, req)), len(mustFrame(b, reply))
	far.SetStreamHandler(id, func(s network.Stream) {
		in, request, answer := bufio.NewReaderSize(s, 32<<10), make([]byte, there), make([]byte, back)
		for {
			if _, err := io.ReadFull(in, request); err != nil {
				_ = s.Close()
				return
			}
			if _, err := s.Write(answer); err != nil {
				return
			}
		}
	})
	s, err := near.NewStream(b.Context(), far.ID(), id)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	in, request, answer := bufio.NewReaderSize(s, 32<<10), make([]byte, there), make([]byte, back)
	return func(n int) {
		room := make(chan struct{}, window)
		var writer sync.WaitGroup
		writer.Go(func() {
			for range n {
				room <- struct{}{}
				if _, err := s.Write(request); err != nil {
					b.Error(err)
				}
			}
		})
		for range n {
			if _, err := io.ReadFull(in, answer); err != nil {
				b.Error(err)
			}
			<-room
		}
		writer.Wait()
	}
}

// verify checks Ed25519 signatures of messages as long as rs, on all cores.
func verify(rs []*records.Record) func(n int) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := private.Public().(ed25519.PublicKey)
	signatures := make([][]byte, len(rs))
	for i, r := range rs {
		signatures[i] = ed25519.Sign(private, r.Bytes())
	}
	return func(n int) {
		atOnce(n, runtime.GOMAXPROCS(0), func(int) {
			for i, r := range rs {
				_ = ed25519.Verify(public, r.Bytes(), signatures[i])
			}
		})
	}
}

// digest recognises known records.
func digest(rs []*records.Record) func(n int) {
	return func(n int) {
		atOnce(n, runtime.GOMAXPROCS(0), func(int) {
			for _, r := range rs {
				_ = records.DigestOf(r.Bytes())
			}
		})
	}
}

// coding writes m at one end and reads it at the other.
func coding(b *testing.B, m proto.Message) func(n int) {
	b.Helper()
	return func(n int) {
		atOnce(n, runtime.GOMAXPROCS(0), func(int) {
			into := m.ProtoReflect().New().Interface()
			bytes, err := proto.Marshal(m)
			if err == nil {
				err = proto.Unmarshal(bytes, into)
			}
			if err != nil {
				b.Error(err)
			}
		})
	}
}

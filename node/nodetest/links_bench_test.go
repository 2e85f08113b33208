package nodetest_test

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/starling-social/starling/node/nodetest"
)

// BenchmarkStream_roundTrip sends 64 bytes there and back over a link without latency, beside the bare cost: the same over net.Pipe.
func BenchmarkStream_roundTrip(b *testing.B) {
	l := nodetest.NewLinks(nodetest.LinksConfig{Link: uniform(nodetest.Link{})})
	near, far := streams(b, l)
	pipeNear, pipeFar := net.Pipe()
	b.Cleanup(func() { closeAll(b, near, far, pipeNear, pipeFar) })
	bare := perRound(b.N, pipeNear, pipeFar)
	b.ReportAllocs()
	b.ResetTimer()
	perOp := perRound(b.N, near, far)
	b.ReportMetric(float64(perOp)/float64(bare), "x-net.Pipe")
}

// perRound returns what a round trip costs between two ends, of which the far one echoes.
func perRound(rounds int, near, far io.ReadWriter) time.Duration {
	go func() {
		buf := make([]byte, 64)
		for range rounds {
			_, _ = io.ReadFull(far, buf)
			_, _ = far.Write(buf)
		}
	}()
	buf := make([]byte, 64)
	return max(1, took(func() {
		for range rounds {
			_, _ = near.Write(buf)
			_, _ = io.ReadFull(near, buf)
		}
	})/time.Duration(rounds))
}

// BenchmarkStream_bulk carries 64 KiB at a time to a reader that never stops, beside the bare cost: copying them once.
func BenchmarkStream_bulk(b *testing.B) {
	const size = 64 << 10
	l := nodetest.NewLinks(nodetest.LinksConfig{Link: uniform(nodetest.Link{}), Window: 16 * size})
	near, far := streams(b, l)
	b.Cleanup(func() { closeAll(b, near, far) })
	chunk, copied := make([]byte, size), make([]byte, size)
	bare := took(func() {
		for range b.N {
			copy(copied, chunk)
		}
	})
	done := make(chan error, 1)
	go func() {
		_, err := io.CopyBuffer(onlyWriter{io.Discard}, far, make([]byte, size))
		done <- err
	}()
	b.SetBytes(size)
	b.ReportAllocs()
	b.ResetTimer()
	spent := took(func() {
		for range b.N {
			if _, err := near.Write(chunk); err != nil {
				b.Fatal(err)
			}
		}
		closeAll(b, near)
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	})
	b.ReportMetric(float64(spent)/float64(max(1, bare)), "x-copy")
}

// onlyWriter hides ReadFrom, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }

// BenchmarkConn_idle reports the memory of a connection without streams, both ends together.
func BenchmarkConn_idle(b *testing.B) {
	l := nodetest.NewLinks(nodetest.LinksConfig{Link: uniform(nodetest.Link{})})
	lis := listen(b, l, newTransport(b, l, 1, nil, nil), 1)
	dialler, id, addr := newTransport(b, l, 0, nil, nil), peerID(b, 1), l.Addr(1)
	var ends []io.Closer
	before := heap()
	for b.Loop() {
		near, err := dialler.Dial(b.Context(), addr, id)
		if err != nil {
			b.Fatal(err)
		}
		far, err := lis.Accept()
		if err != nil {
			b.Fatal(err)
		}
		ends = append(ends, near, far)
	}
	b.ReportMetric(float64(heap()-before)/float64(len(ends)/2), "B/conn")
	closeAll(b, ends...)
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

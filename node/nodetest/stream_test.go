package nodetest_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/node/nodetest"
)

// Opening a stream and every write on it take exactly the latency of the link.
func TestStream_latencyExact(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		a, b := connect(t, l)
		var near, far network.MuxedStream
		if d := took(func() { near, far = openStream(t, a, b) }); d != latency {
			t.Errorf("stream arrived after %v", d)
		}
		for range 3 {
			if d := took(func() { mustWrite(t, near, "ping"); mustRead(t, far, "ping") }); d != latency {
				t.Errorf("there took %v", d)
			}
			if d := took(func() { mustWrite(t, far, "pong"); mustRead(t, near, "pong") }); d != latency {
				t.Errorf("back took %v", d)
			}
		}
	})
}

func TestStream_halfClose(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		mustWrite(t, near, "question")
		if err := near.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := near.Write([]byte("more")); err == nil {
			t.Error("wrote after CloseWrite")
		}
		if got, err := io.ReadAll(far); string(got) != "question" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		mustWrite(t, far, "answer")
		closeAll(t, far)
		if got, err := io.ReadAll(near); string(got) != "answer" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		closeAll(t, near, near)
	})
}

// What was written before Close arrives, also when the whole connection is closed right after.
func TestStream_closeFlushes(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		a, b := connect(t, l)
		near, far := openStream(t, a, b)
		sent := string(make([]byte, 100_000))
		mustWrite(t, near, sent)
		closeAll(t, near, far)
		if _, err := near.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("read after Close: %v", err)
		}

		near, far = openStream(t, a, b)
		mustWrite(t, near, sent)
		closeAll(t, near, a)
		if got, err := io.ReadAll(far); string(got) != sent || err != nil {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	})
}

func TestStream_closeInterrupts(t *testing.T) {
	for name, end := range map[string]func(network.MuxedStream) error{
		"close": network.MuxedStream.Close, "close read": network.MuxedStream.CloseRead, "reset": network.MuxedStream.Reset,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
				near, _ := streams(t, l)
				time.AfterFunc(time.Second, func() {
					if err := end(near); err != nil {
						t.Error(err)
					}
				})
				var err error
				d := took(func() { _, err = near.Read(make([]byte, 1)) })
				if d != time.Second || err == nil || errors.Is(err, io.EOF) {
					t.Errorf("read returned %v after %v", err, d)
				}
			})
		})
	}
}

func TestStream_readDeadline(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		read := func() (err error) { _, err = far.Read(make([]byte, 1)); return err }
		setRead := func(at time.Time) {
			if err := far.SetReadDeadline(at); err != nil {
				t.Error(err)
			}
		}

		setRead(time.Now().Add(time.Second))
		if d := took(func() {
			if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read: %v", err)
			}
		}); d != time.Second {
			t.Errorf("deadline after %v", d)
		}
		if err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read after the deadline: %v", err)
		}

		setRead(time.Time{})
		time.AfterFunc(time.Hour, func() { setRead(time.Now()) }) // a deadline set while Read waits
		if d := took(func() { _ = read() }); d != time.Hour {
			t.Errorf("interrupted after %v", d)
		}

		setRead(time.Now().Add(time.Second))
		mustWrite(t, near, "in time")
		mustRead(t, far, "in time")
	})
}

// A writer that filled the window waits; its deadline frees it, and it can go on later.
func TestStream_writeDeadline(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		sent := randomBytes(1, 2*window)
		if err := near.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		var n int
		var err error
		if d := took(func() { n, err = near.Write(sent) }); d != time.Second {
			t.Errorf("write took %v", d)
		}
		if n != window || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d: %v", n, err)
		}
		if err := near.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() {
			if _, err := near.Write(sent[n:]); err != nil {
				t.Error(err)
			}
			closeAll(t, near)
		}()
		if got, err := io.ReadAll(far); !bytes.Equal(got, sent) || err != nil {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	})
}

func TestStream_resetWhileWriting(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		time.AfterFunc(time.Second, func() {
			if err := far.ResetWithError(network.StreamRateLimited); err != nil {
				t.Error(err)
			}
		})
		var n int
		var err error
		if d := took(func() { n, err = near.Write(make([]byte, 2*window)) }); d != time.Second+latency {
			t.Errorf("write took %v", d)
		}
		if n != window {
			t.Errorf("wrote %d", n)
		}
		for _, err := range []error{err, readError(near)} {
			if want := (&network.StreamError{ErrorCode: network.StreamRateLimited, Remote: true}); !errors.Is(err, want) || !errors.Is(err, network.ErrReset) {
				t.Errorf("reset from afar: %v", err)
			}
		}
		if want := (&network.StreamError{ErrorCode: network.StreamRateLimited}); !errors.Is(readError(far), want) {
			t.Errorf("reset here: %v", readError(far))
		}
		if err := near.CloseWrite(); !errors.Is(err, network.ErrReset) {
			t.Errorf("CloseWrite after a reset: %v", err)
		}
	})
}

// A reset drops what was not read; but what a sender finished before it reset the rest stays readable.
func TestStream_resetAndUnreadData(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		a, b := connect(t, l)
		near, far := openStream(t, a, b)
		mustWrite(t, near, "half a message")
		if err := near.Reset(); err != nil {
			t.Fatal(err)
		}
		elapse(latency)
		if err := readError(far); !errors.Is(err, network.ErrReset) {
			t.Errorf("read: %v", err)
		}

		near, far = openStream(t, a, b)
		mustWrite(t, near, "whole message")
		if err := errors.Join(near.CloseWrite(), near.Reset()); err != nil {
			t.Fatal(err)
		}
		elapse(latency)
		if got, err := io.ReadAll(far); string(got) != "whole message" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := far.Write([]byte("x")); !errors.Is(err, network.ErrReset) {
			t.Errorf("write: %v", err)
		}
	})
}

// However slowly the reader reads, the writer is never more than a window ahead.
func TestStream_slowReaderIsFelt(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		sent := randomBytes(2, 4*window)
		go func() {
			if _, err := near.Write(sent); err != nil {
				t.Error(err)
			}
			closeAll(t, near)
		}()
		var got []byte
		for part := make([]byte, 1000); ; {
			elapse(10 * time.Millisecond)
			if ahead := int(l.Sent(0, 1).Bytes) - len(got); ahead > window {
				t.Fatalf("writer is %d bytes ahead", ahead)
			}
			n, err := far.Read(part)
			if got = append(got, part[:n]...); err != nil {
				break
			}
		}
		if !bytes.Equal(got, sent) {
			t.Error("read something else than was written")
		}
	})
}

// A stream carries at most a window per round trip, and at least half of one.
func TestStream_windowPerRoundTrip(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{Window: 64 << 10}, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		go func() {
			if _, err := near.Write(make([]byte, 20*64<<10)); err != nil {
				t.Error(err)
			}
			closeAll(t, near)
		}()
		d := took(func() { _, _ = io.Copy(io.Discard, far) })
		if rounds := d / (2 * latency); rounds < 19 || rounds > 40 {
			t.Errorf("20 windows took %v, %d round trips", d, rounds)
		}
	})
}

// Closing a stream for reading is not told to the writer: it stalls, as with yamux.
func TestStream_writerToClosedReaderStalls(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		closeAll(t, far)
		elapse(latency)
		if err := near.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if n, err := near.Write(make([]byte, 2*window)); n != window || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d: %v", n, err)
		}
	})
}

// Whatever the sizes of writes, reads, window and segments, and however bad the link, the reader reads what the writer wrote.
func TestStream_carriesFaithfully(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := nodetest.LinksConfig{
			Seed:   rapid.Uint64().Draw(rt, "seed"),
			Window: rapid.IntRange(1, 50_000).Draw(rt, "window"),
			Link: uniform(nodetest.Link{
				Latency:   time.Duration(rapid.IntRange(0, 200).Draw(rt, "latency")) * time.Millisecond,
				Jitter:    time.Duration(rapid.IntRange(0, 200).Draw(rt, "jitter")) * time.Millisecond,
				Bandwidth: rapid.SampledFrom([]int{0, 100_000, 10_000_000}).Draw(rt, "bandwidth"),
				Loss:      rapid.SampledFrom([]float64{0, 0.01, 0.3}).Draw(rt, "loss"),
			}),
			DialTimeout: time.Hour,
		}
		writes := rapid.SliceOfN(rapid.IntRange(0, 40_000), 0, 8).Draw(rt, "writes")
		read := rapid.IntRange(1, 40_000).Draw(rt, "read")
		inBubble(t, cfg, func(t *testing.T, l *nodetest.Links) {
			near, far := streams(t, l)
			sent := randomBytes(3, sum(writes))
			go writeParts(t, near, sent, writes)
			got, err := readParts(far, read)
			if !bytes.Equal(got, sent) || err != nil {
				t.Errorf("read %d bytes that differ from the %d written, %v", len(got), len(sent), err)
			}
		})
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// writeParts writes b in parts of the given sizes and closes the stream.
func writeParts(tb testing.TB, s network.MuxedStream, b []byte, sizes []int) {
	tb.Helper()
	for _, size := range sizes {
		if _, err := s.Write(b[:size]); err != nil {
			tb.Error(err)
		}
		b = b[size:]
	}
	closeAll(tb, s)
}

// readParts reads a stream to its end, up to size bytes at a time.
func readParts(s network.MuxedStream, size int) (got []byte, err error) {
	for part := make([]byte, size); ; {
		n, err := s.Read(part)
		if got = append(got, part[:n]...); errors.Is(err, io.EOF) {
			return got, nil
		} else if err != nil {
			return got, err
		}
	}
}

func readError(s network.MuxedStream) error {
	_, err := s.Read(make([]byte, 1))
	return err
}

func randomBytes(seed uint64, n int) []byte {
	random := rand.NewChaCha8([32]byte{byte(seed)})
	b := make([]byte, n)
	_, _ = random.Read(b) // never fails
	return b
}

func sum(ns []int) (total int) {
	for _, n := range ns {
		total += n
	}
	return total
}

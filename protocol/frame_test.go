package protocol_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
)

// source is a stream whose deadlines never pass.
type source struct{ io.Reader }

func (source) SetReadDeadline(time.Time) error { return nil }

func sourceOf(b []byte) source { return source{bytes.NewReader(b)} }

// framed is b as a frame, whatever b is.
func framed(b []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b))), b...) }

// Frames come out as they went in, however the stream cuts them.
func TestFrame_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringN(0, 60, 60_000), 1, 12).Draw(t, "sentences")
		var sent []byte
		var want []*pb.Refusal
		for _, s := range texts {
			m := &pb.Refusal{Code: pb.Code_CODE_BUSY, Sentence: s}
			f, err := protocol.NewFrame(m, protocol.MaxRequest)
			if err != nil {
				t.Fatal(err)
			}
			b, err := f.Append(sent)
			if err != nil || len(b)-len(sent) != f.Size() {
				t.Fatalf("frame of %d bytes, Size says %d, %v", len(b)-len(sent), f.Size(), err)
			}
			sent, want = b, append(want, m)
		}
		frames := protocol.NewFrameReader(source{cut(t, sent)}, protocol.MaxRequest, time.Minute)
		for _, m := range want {
			b, err := frames.Next()
			if err != nil {
				t.Fatal(err)
			}
			got := &pb.Refusal{}
			if err := proto.Unmarshal(b, got); err != nil || !proto.Equal(got, m) {
				t.Fatalf("got %v, %v", got, err)
			}
		}
		if _, err := frames.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last frame: %v", err)
		}
	})
}

// cut reads b in pieces of drawn sizes.
func cut(t *rapid.T, b []byte) io.Reader {
	var pieces []io.Reader
	for len(b) > 0 {
		n := min(rapid.SampledFrom([]int{1, 2, 3, 100, 4095, 4096, 4097, 40_000}).Draw(t, "piece"), len(b))
		pieces = append(pieces, bytes.NewReader(b[:n]))
		b = b[n:]
	}
	return io.MultiReader(pieces...)
}

func TestNewFrame_tooLarge(t *testing.T) {
	m := &pb.Refusal{Sentence: "this is too long"}
	n := proto.Size(m)
	if _, err := protocol.NewFrame(m, n); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := protocol.NewFrame(m, n-1); !errors.Is(err, protocol.ErrFrameTooLarge) {
		t.Errorf("beyond the limit: %v", err)
	}
}

func TestFrameReader_refuses(t *testing.T) {
	const limit = 1000
	huge := binary.AppendUvarint(nil, 1<<63)
	for _, c := range []struct {
		name string
		sent []byte
		want error
	}{
		{"end of stream", nil, io.EOF},
		{"zero length", []byte{0}, protocol.ErrFrameEmpty},
		{"zero length in two bytes", []byte{0x80, 0}, protocol.ErrFrameLength},
		{"one in two bytes", []byte{0x81, 0, 'x'}, protocol.ErrFrameLength},
		{"one in three bytes", []byte{0x81, 0x80, 0, 'x'}, protocol.ErrFrameTooLarge},
		{"one over the limit", framed(make([]byte, limit+1)), protocol.ErrFrameTooLarge},
		{"one over the limit, no body", framed(make([]byte, limit+1))[:2], protocol.ErrFrameTooLarge},
		{"2^63", huge, protocol.ErrFrameTooLarge},
		{"beginning of 2^63", huge[:2], protocol.ErrFrameTooLarge},
		{"a length without end", bytes.Repeat([]byte{0xff}, 20), protocol.ErrFrameTooLarge},
		{"end within the length", []byte{0x80}, protocol.ErrFrameTruncated},
		{"end before the body", []byte{5}, protocol.ErrFrameTruncated},
		{"end within the body", []byte{5, 'b', 'o', 'd'}, protocol.ErrFrameTruncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, src := range []io.Reader{bytes.NewReader(c.sent), iotest.OneByteReader(bytes.NewReader(c.sent)), iotest.DataErrReader(bytes.NewReader(c.sent))} {
				if b, err := protocol.NewFrameReader(source{src}, limit, time.Minute).Next(); !errors.Is(err, c.want) {
					t.Errorf("%T: %q, %v, want %v", src, b, err, c.want)
				}
			}
		})
	}
}

// What was announced costs nothing; what arrived costs at most twice its size, and
// is not held for longer than it is needed.
func TestFrameReader_holdsWhatArrived(t *testing.T) {
	const limit = 1 << 20
	announced := binary.AppendUvarint(nil, limit)
	for _, arrived := range []int{0, 1, 5_000, 40_000, 300_000} {
		frames := protocol.NewFrameReader(sourceOf(append(announced, make([]byte, arrived)...)), limit, time.Minute)
		if _, err := frames.Next(); !errors.Is(err, protocol.ErrFrameTruncated) {
			t.Fatal(err)
		}
		if most := max(2*(arrived+len(announced)), 64<<10); frames.Held() > most {
			t.Errorf("%d bytes arrived, %d are held", arrived, frames.Held())
		}
	}

	idle := protocol.NewFrameReader(sourceOf(framed([]byte("small"))), limit, time.Minute)
	if _, err := idle.Next(); err != nil {
		t.Fatal(err)
	}
	if idle.Held() > 512 {
		t.Errorf("%d bytes are held by a stream that carried little", idle.Held())
	}

	sent := append(framed(make([]byte, limit)), framed([]byte("small"))...)
	frames := protocol.NewFrameReader(sourceOf(sent), limit, time.Minute)
	for range 2 {
		if _, err := frames.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if frames.Held() > 128<<10 {
		t.Errorf("%d bytes are held after a large frame", frames.Held())
	}
}

// A stream of small frames costs no allocation at all.
func TestFrameReader_reusesItsBuffer(t *testing.T) {
	frames := protocol.NewFrameReader(source{&endless{b: framed(make([]byte, 1000))}}, protocol.MaxRequest, time.Minute)
	for range 100 {
		if _, err := frames.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = frames.Next() }); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// endless repeats b for ever.
type endless struct {
	b    []byte
	next int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], e.b[e.next:])
		n, e.next = n+k, (e.next+k)%len(e.b)
	}
	return n, nil
}

func TestFrameReader_patience(t *testing.T) {
	const limit = 100_000
	body := make([]byte, limit)
	for _, c := range []struct {
		name  string
		write func(w net.Conn)
		after time.Duration
	}{
		{"nothing comes", func(net.Conn) {}, time.Minute},
		{"half a length comes", func(w net.Conn) { write(w, []byte{0x80}) }, time.Minute},
		{"no body comes", func(w net.Conn) { write(w, framed(body)[:3]) }, protocol.FrameTime(limit)},
		{"a byte a second comes", func(w net.Conn) { trickle(w, framed(body)) }, 2*time.Second + protocol.FrameTime(limit)},
		{"a frame comes, then nothing", func(w net.Conn) { write(w, framed([]byte("one"))) }, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, w := net.Pipe()
				var writer sync.WaitGroup
				writer.Go(func() { c.write(w) })
				began := time.Now()
				frames := protocol.NewFrameReader(r, limit, time.Minute)
				var err error
				for err == nil {
					_, err = frames.Next()
				}
				if !errors.Is(err, protocol.ErrFrameTimeout) || time.Since(began) != c.after {
					t.Errorf("%v after %s, want %s", err, time.Since(began), c.after)
				}
				_ = r.Close()
				writer.Wait()
				_ = w.Close()
			})
		})
	}
}

func write(w io.Writer, b []byte) { _, _ = w.Write(b) }

// trickle writes a byte a second until the other side hangs up.
func trickle(w io.Writer, b []byte) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for i := range b {
		if _, err := w.Write(b[i : i+1]); err != nil {
			return
		}
		<-tick.C
	}
}

func TestFrameReader_waitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := net.Pipe()
		frames := protocol.NewFrameReader(r, 100, time.Second)
		go func() {
			write(w, framed([]byte("first")))
			time.AfterFunc(time.Hour, func() { write(w, framed([]byte("late"))) })
		}()
		if b, err := frames.Next(); string(b) != "first" {
			t.Fatal(string(b), err)
		}
		if err := frames.WaitForEver(); err != nil {
			t.Fatal(err)
		}
		if b, err := frames.Next(); string(b) != "late" {
			t.Errorf("%q, %v", b, err)
		}
	})
}

// The reader agrees with a plain reading of the format on any bytes, cut anyhow.
func FuzzFrameReader(f *testing.F) {
	f.Add([]byte{}, uint8(1))
	f.Add([]byte{0}, uint8(1))
	f.Add([]byte{0x80, 0}, uint8(1))
	f.Add(framed([]byte("one frame")), uint8(3))
	f.Add(append(framed([]byte("one frame")), 0xff, 0xff, 0xff), uint8(200))
	f.Add(framed(bytes.Repeat([]byte("long "), 2000)), uint8(255))
	f.Fuzz(func(t *testing.T, sent []byte, piece uint8) {
		const limit = 9000
		frames := protocol.NewFrameReader(source{chunks{bytes.NewReader(sent), int(piece) + 1}}, limit, time.Minute)
		for rest := sent; ; {
			want, after, wantErr := plainFrame(rest, limit)
			got, err := frames.Next()
			if (err == nil) != (wantErr == nil) || !errors.Is(err, wantErr) || !bytes.Equal(got, want) {
				t.Fatalf("got %q, %v; want %q, %v", got, err, want, wantErr)
			}
			if err != nil {
				return
			}
			rest = after
		}
	})
}

// chunks reads at most so many bytes at a time.
type chunks struct {
	r io.Reader
	n int
}

func (c chunks) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.n)]) }

// plainFrame is the format as docs/spec.md says it.
func plainFrame(b []byte, limit uint64) (frame, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, io.EOF
	}
	most := len(binary.AppendUvarint(nil, limit))
	n, width := binary.Uvarint(b[:min(len(b), most)])
	switch {
	case width == 0 && len(b) < most:
		return nil, nil, protocol.ErrFrameTruncated
	case width <= 0:
		return nil, nil, protocol.ErrFrameTooLarge
	case !bytes.Equal(binary.AppendUvarint(nil, n), b[:width]):
		return nil, nil, protocol.ErrFrameLength
	case n == 0:
		return nil, nil, protocol.ErrFrameEmpty
	case n > limit:
		return nil, nil, protocol.ErrFrameTooLarge
	case n > uint64(len(b)-width):
		return nil, nil, protocol.ErrFrameTruncated
	}
	return b[width:][:n], b[width:][n:], nil
}

func BenchmarkFrameReader(b *testing.B) {
	for _, size := range []int{100, 1000, 30_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			frames := protocol.NewFrameReader(source{&endless{b: framed(make([]byte, size))}}, protocol.MaxReply, 0)
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := frames.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

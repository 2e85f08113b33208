package exchange_test

import (
	"context"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
)

// raw is one end of a stream in the hands of a test, which may break every rule.
type raw struct {
	network.Stream
	tb     testing.TB
	frames *protocol.FrameReader
}

func newRaw(tb testing.TB, s network.Stream) *raw {
	return &raw{s, tb, protocol.NewFrameReader(s, 4<<20, 0)}
}

// script lets a test play the server on host i: it is called for every stream,
// which is reset when it returns.
func (w *world) script(tb testing.TB, i int, play func(r *raw)) {
	tb.Helper()
	w.hosts[i].SetStreamHandler(protocol.ExchangeID(net(tb)), func(s network.Stream) {
		play(newRaw(tb, s))
		_ = s.Reset()
	})
}

// dial lets a test play the client on host i, towards host j.
func (w *world) dial(tb testing.TB, i, j int) *raw {
	tb.Helper()
	s, err := w.hosts[i].NewStream(context.Background(), w.id(j), protocol.ExchangeID(net(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Reset() })
	return newRaw(tb, s)
}

// send writes bytes as they are. It tells whether the other side took them.
func (r *raw) send(b []byte) bool {
	_, err := r.Write(b)
	return err == nil
}

// sendFrame writes a message as a frame.
func (r *raw) sendFrame(m proto.Message) bool { return r.send(mustFrame(r.tb, m)) }

// mustFrame is a message as a frame, which may be larger than any that is allowed.
func mustFrame(tb testing.TB, m proto.Message) []byte {
	f, err := protocol.NewFrame(m, 4<<20)
	if err != nil {
		tb.Error(err)
		return nil
	}
	b, err := f.Append(nil)
	if err != nil {
		tb.Error(err)
	}
	return b
}

// request reads the next request, nil at the end of the stream.
func (r *raw) request() *pb.Request {
	m := &pb.Request{}
	if !r.next(m) {
		return nil
	}
	return m
}

// reply reads the next reply, nil at the end of the stream.
func (r *raw) reply() *pb.Reply {
	m := &pb.Reply{}
	if !r.next(m) {
		return nil
	}
	return m
}

func (r *raw) next(m proto.Message) bool {
	b, err := r.frames.Next()
	if err != nil {
		return false
	}
	if err := proto.Unmarshal(b, m); err != nil {
		r.tb.Error(err)
	}
	return true
}

// drain reads until the stream ends.
func (r *raw) drain() { _, _ = io.Copy(io.Discard, r.Stream) }

// statusReply is an answer that nobody can object to.
func statusReply(id uint64) *pb.Reply {
	return &pb.Reply{Id: id, Body: &pb.Reply_Status{Status: &pb.Status{Version: "scripted", Records: id}}}
}

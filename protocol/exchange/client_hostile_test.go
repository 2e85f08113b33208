package exchange_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/pb"
)

// A peer that breaks the protocol is named as the one to blame, loses its stream,
// and gets another chance on another.
func TestClient_hostileFrames(t *testing.T) {
	status := func(id uint64) []byte { return mustFrame(t, statusReply(id)) }
	longTail := append(status(1), 0x80)
	for _, c := range []struct {
		name string
		sent []byte
		want error
	}{
		{"never asked", status(2), exchange.ErrProtocol},
		{"id 0", status(0), exchange.ErrProtocol},
		{"zero length", []byte{0}, exchange.ErrProtocol},
		{"length of 2^63", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, exchange.ErrProtocol},
		{"length in two bytes instead of one", []byte{0x81, 0}, exchange.ErrProtocol},
		{"larger than a reply", mustFrame(t, &pb.Reply{Id: 1, Body: &pb.Reply_Refusal{Refusal: &pb.Refusal{Sentence: string(make([]byte, protocol.MaxReply))}}}), exchange.ErrProtocol},
		{"larger than what was asked for", mustFrame(t, &pb.Reply{Id: 1, Body: &pb.Reply_Refusal{Refusal: &pb.Refusal{Sentence: string(make([]byte, protocol.SmallReply))}}}), exchange.ErrProtocol},
		{"end in mid frame", status(1)[:3], exchange.ErrUnavailable},
		{"not a message", []byte{3, 0xff, 0xff, 0xff}, exchange.ErrProtocol},
		{"wrong wire type", []byte{2, 1<<3 | 2, 0}, exchange.ErrProtocol},
		{"duplicate id", []byte{4, 1 << 3, 1, 1 << 3, 1}, exchange.ErrProtocol},
		{"two bodies", []byte{6, 1 << 3, 1, 7<<3 | 2, 0, 9<<3 | 2, 0}, exchange.ErrProtocol},
		{"fields out of order", []byte{4, 2 << 3, 1, 1 << 3, 1}, exchange.ErrProtocol},
		{"not UTF-8", []byte{7, 1 << 3, 1, 7<<3 | 2, 3, 1<<3 | 2, 1, 0xff}, exchange.ErrProtocol},
		{"prefix of 257 bits", mustFrame(t, &pb.Reply{Id: 1, Prefix: 257, Body: statusReply(1).GetBody()}), exchange.ErrProtocol},
		{"no body", mustFrame(t, &pb.Reply{Id: 1}), exchange.ErrProtocol},
		{"unknown body", []byte{4, 1 << 3, 1, 14<<3 | 2, 0}, exchange.ErrProtocol},
		{"a million empty fields", mustFrame(t, &pb.Reply{Id: 1, Body: &pb.Reply_Fetch{Fetch: &pb.FetchReply{Buckets: emptyBuckets(500_000)}}}), exchange.ErrProtocol},
		{"answer to something else", mustFrame(t, &pb.Reply{Id: 1, Body: &pb.Reply_Put{Put: &pb.PutReply{}}}), exchange.ErrProtocol},
		{"two frames instead of one", append(mustFrame(t, &pb.Reply{Id: 1, More: true, Body: statusReply(1).GetBody()}), status(1)...), exchange.ErrProtocol},
		{"garbage behind a good answer", longTail, nil},
		{"the same answer twice", append(status(1), status(1)...), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.script(t, 1, func(r *raw) {
					if r.request(); w.wire.opened() == 1 {
						_ = r.send(c.sent)
						_ = r.CloseWrite()
						r.drain()
						return
					}
					r.sendFrame(statusReply(1))
					r.drain()
				})
				client := w.client(t, 0)
				if _, err := client.Status(t.Context(), w.id(1)); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				synctest.Wait()
				if _, err := client.Status(t.Context(), w.id(1)); err != nil {
					t.Errorf("on the next stream: %v", err)
				}
			})
		})
	}
}

func emptyBuckets(n int) []*pb.Bucket {
	out := make([]*pb.Bucket, n)
	for i := range out {
		out[i] = &pb.Bucket{}
	}
	return out
}

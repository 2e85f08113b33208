package exchange_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// What a peer sends on a stream that is followed has to hang together.
func TestFollow_hostilePeer(t *testing.T) {
	r := post(t, 1, 1)
	root := records.UserPlace(r.Author())
	mark := func(seq uint64) *pb.Arrival { return &pb.Arrival{Epoch: 7, Sequence: seq} }
	gap := func(seq uint64) *pb.Arrival { return &pb.Arrival{Epoch: 7, Sequence: seq, Gap: true} }
	arrival := func(seq uint64, b []byte) *pb.Arrival { return &pb.Arrival{Sequence: seq, Record: b} }
	follow := func(as ...*pb.Arrival) *pb.Reply {
		return &pb.Reply{Id: 1, More: true, Body: &pb.Reply_Follow{Follow: &pb.FollowReply{Arrivals: as}}}
	}
	last := follow(mark(0))
	last.More = false
	for _, c := range []struct {
		name string
		sent *pb.Reply
		want error
	}{
		{"good", follow(mark(4), arrival(5, r.Bytes()), gap(9)), nil},
		{"no mark", follow(arrival(1, r.Bytes())), exchange.ErrProtocol},
		{"epoch 0", follow(&pb.Arrival{Sequence: 1}), exchange.ErrProtocol},
		{"another root", follow(&pb.Arrival{Root: 1, Epoch: 7}), exchange.ErrProtocol},
		{"a sequence left out", follow(mark(4), arrival(6, r.Bytes())), exchange.ErrProtocol},
		{"a sequence twice", follow(mark(4), arrival(5, r.Bytes()), arrival(5, r.Bytes())), exchange.ErrProtocol},
		{"a forged record", follow(mark(4), arrival(5, damaged(r))), exchange.ErrProtocol},
		{"another's record", follow(mark(4), arrival(5, post(t, 2, 1).Bytes())), exchange.ErrProtocol},
		{"a second mark without a gap", follow(mark(4), mark(5)), exchange.ErrProtocol},
		{"a gap that leads back", follow(mark(4), gap(3)), exchange.ErrProtocol},
		{"a record with an epoch", follow(mark(4), &pb.Arrival{Epoch: 7, Sequence: 5, Record: r.Bytes()}), exchange.ErrProtocol},
		{"a record with a gap", follow(mark(4), &pb.Arrival{Gap: true, Sequence: 5, Record: r.Bytes()}), exchange.ErrProtocol},
		{"an end", last, exchange.ErrProtocol},
		{"another request's", &pb.Reply{Id: 2, More: true, Body: follow().GetBody()}, exchange.ErrProtocol},
		{"something else", statusReply(1), exchange.ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.script(t, 1, func(r *raw) {
					r.request()
					r.sendFrame(c.sent)
					r.drain()
				})
				e := w.follow(t, 0, 1, root)
				if _, err := e.take(); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		})
	}
}

// A peer that resumes elsewhere than it was asked to has to call it a gap.
func TestFollow_hostileResume(t *testing.T) {
	for _, c := range []struct {
		name string
		mark *pb.Arrival
		want error
	}{
		{"there", &pb.Arrival{Epoch: 7, Sequence: 4}, nil},
		{"later", &pb.Arrival{Epoch: 7, Sequence: 5}, exchange.ErrProtocol},
		{"later, with a gap", &pb.Arrival{Epoch: 7, Sequence: 5, Gap: true}, nil},
		{"earlier", &pb.Arrival{Epoch: 7, Sequence: 3, Gap: true}, exchange.ErrProtocol},
		{"in another epoch", &pb.Arrival{Epoch: 8, Sequence: 4}, exchange.ErrProtocol},
		{"in another epoch, with a gap", &pb.Arrival{Epoch: 8, Sequence: 1, Gap: true}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.script(t, 1, func(r *raw) {
					r.request()
					m := &pb.FollowReply{Arrivals: []*pb.Arrival{c.mark}}
					r.sendFrame(&pb.Reply{Id: 1, More: true, Body: &pb.Reply_Follow{Follow: m}})
					r.drain()
				})
				from := exchange.Mark{Root: records.UserPlace(person(1).User()), Epoch: 7, Sequence: 4}
				client := w.client(t, 0)
				e := listen(t, func(ctx context.Context) iter.Seq2[exchange.Arrival, error] {
					return client.Follow(ctx, w.id(1), []exchange.Mark{from})
				})
				if _, err := e.take(); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		})
	}
}

// A node hears at its own roots what it puts there itself, what others put, and
// what came by another way; so do those who follow it.
func TestServer_local(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		s, _ := w.serve(t, 1, newMemory(t), region{})
		rs := posts(t, 1, 3)
		root := records.UserPlace(rs[0].Author())
		inside := listen(t, func(ctx context.Context) iter.Seq2[exchange.Arrival, error] { return s.Follow(ctx, marks(root)) })
		outside := w.follow(t, 0, 1, root)

		results, err := s.Put(t.Context(), everywhere(rs[0]))
		if err != nil || results[0].Outcome.Status != records.Below || results[1].Outcome.Status != records.Stored {
			t.Fatalf("%+v, %v", results, err)
		}
		putAtRoot(t, w.client(t, 2), w, rs[1])
		s.Arrived(root, rs[2])
		s.Arrived(root, rs[0])
		inside.mustHear(t, "inside", rs...)
		outside.mustHear(t, "outside", rs...)
		inside.end()
		if _, err := inside.take(); !errors.Is(err, context.Canceled) {
			t.Errorf("in the end: %v", err)
		}
	})
}

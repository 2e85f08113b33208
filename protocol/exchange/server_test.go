package exchange_test

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

func statusRequest(id uint64) *pb.Request {
	return &pb.Request{Id: id, Body: &pb.Request_Status{Status: &pb.StatusQuery{}}}
}

func putRequest(id uint64, puts ...records.Put) *pb.Request {
	m := &pb.Put{}
	for i, p := range puts {
		m.Records = append(m.Records, p.Record.Bytes())
		m.Entries = append(m.Entries, &pb.PutEntry{Place: p.Place.Bytes(), Record: uint32(i)})
	}
	return &pb.Request{Id: id, Body: &pb.Request_Put{Put: m}}
}

func fetchRequest(id uint64, queries ...records.Query) *pb.Request {
	m := &pb.Fetch{}
	for _, q := range queries {
		m.Queries = append(m.Queries, &pb.Query{Place: q.Place.Bytes(), Limit: uint32(q.Limit)})
	}
	return &pb.Request{Id: id, Body: &pb.Request_Fetch{Fetch: m}}
}

// Bytes that are no frame, or no request, end their stream; what came before is
// answered, and nobody else notices.
func TestServer_hostileFrames(t *testing.T) {
	put := putRequest(1, records.Put{Place: month(post(t, 1, 1)), Record: post(t, 1, 1)})
	body, err := proto.Marshal(put)
	if err != nil {
		t.Fatal(err)
	}
	frame := func(b ...byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b))), b...) }
	for _, c := range []struct {
		name    string
		sent    []byte
		answers int
	}{
		{"nothing", nil, 0},
		{"zero length", []byte{0}, 0},
		{"length of 2^63", binary.AppendUvarint(nil, 1<<63), 0},
		{"ten digits", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 0},
		{"length not in its shortest form", append([]byte{0x80 | byte(len(body)), 0x80 | byte(len(body)>>7), 0}, body...), 0},
		{"one byte too large", binary.AppendUvarint(nil, protocol.MaxRequest+1), 0},
		{"a length and no body", binary.AppendUvarint(nil, protocol.MaxRequest), 0},
		{"half a frame", frame(body...)[:100], 0},
		{"a frame, then garbage", append(mustFrame(t, statusRequest(1)), 0xff, 0xff, 0xff, 0xff), 1},
		{"a frame, then half of one", append(mustFrame(t, statusRequest(1)), frame(body...)[:20]...), 1},
		{"random bytes", frame(0xde, 0xad, 0xbe, 0xef), 0},
		{"no id", mustFrame(t, &pb.Request{Body: put.GetBody()}), 0},
		{"id twice", frame(append([]byte{1 << 3, 1}, body...)...), 0},
		{"two bodies", frame(1<<3, 1, 2<<3|2, 0, 3<<3|2, 0), 0},
		{"wrong wire type", frame(1<<3, 1, 5<<3, 0), 0},
		{"a group", frame(1<<3, 1, 5<<3|3, 5<<3|4), 0},
		{"length beyond the end", frame(1<<3, 1, 5<<3|2, 9), 0},
		{"100,000 empty entries", mustFrame(t, &pb.Request{Id: 1, Body: &pb.Request_Put{Put: &pb.Put{Entries: make([]*pb.PutEntry, 100_000)}}}), 0},
		{"a million empty records", append(binary.AppendUvarint(nil, 2_000_007), make([]byte, 100_000)...), 0},
		{"a reply", mustFrame(t, statusReply(1)), 1},
		{"a follow after something else", append(mustFrame(t, statusRequest(1)), mustFrame(t, followRequest(month(post(t, 1, 1)).Root()))...), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 3, func(t *testing.T, w *world) {
				store := newMemory(t)
				w.serve(t, 1, store, region{})
				r := w.dial(t, 0, 1)
				go func() { _ = r.send(c.sent); _ = r.CloseWrite() }()
				answers := 0
				for r.reply() != nil {
					answers++
				}
				if answers > c.answers {
					t.Errorf("%d answers", answers)
				}
				if store.merges > 0 {
					t.Error("something was stored")
				}
				if _, err := w.client(t, 2).Status(t.Context(), w.id(1)); err != nil {
					t.Errorf("another peer: %v", err)
				}
			})
		})
	}
}

func followRequest(roots ...records.Place) *pb.Request {
	m := &pb.Follow{}
	for _, p := range roots {
		m.Roots = append(m.Roots, &pb.Root{Place: p.Bytes()})
	}
	return &pb.Request{Id: 1, Body: &pb.Request_Follow{Follow: m}}
}

// A request that is a message but makes no sense is refused; the stream goes on.
func TestServer_refuses(t *testing.T) {
	r1 := post(t, 1, 1)
	at := month(r1)
	many := make([]records.Query, protocol.MaxQueries+1)
	for i := range many {
		many[i] = newest(at, 0)
	}
	misnamed := putRequest(1, records.Put{Place: at, Record: r1})
	misnamed.GetPut().GetEntries()[0].Record = 1
	tooMany := putRequest(1, records.Put{Place: at, Record: r1})
	for range protocol.MaxPutRecords {
		tooMany.GetPut().Records = append(tooMany.GetPut().GetRecords(), []byte{1})
	}
	roots := make([]records.Place, protocol.MaxRoots+1)
	for i := range roots {
		roots[i] = records.TagPlace("x")
	}
	for _, c := range []struct {
		name string
		req  *pb.Request
		want pb.Code
	}{
		{"nothing", &pb.Request{Id: 1}, pb.Code_CODE_MALFORMED},
		{"put of nothing", putRequest(1), pb.Code_CODE_MALFORMED},
		{"put of a record that is not there", misnamed, pb.Code_CODE_MALFORMED},
		{"put of too many records", tooMany, pb.Code_CODE_TOO_LARGE},
		{"fetch of nothing", fetchRequest(1), pb.Code_CODE_TOO_LARGE},
		{"fetch of too much", fetchRequest(1, many...), pb.Code_CODE_TOO_LARGE},
		{"follow of nothing", followRequest(), pb.Code_CODE_TOO_LARGE},
		{"follow of too much", followRequest(roots...), pb.Code_CODE_TOO_LARGE},
		{"follow of the same twice", followRequest(at.Root(), at.Root()), pb.Code_CODE_MALFORMED},
		{"follow of a month", followRequest(at), pb.Code_CODE_MALFORMED},
		{"follow of no place", &pb.Request{Id: 1, Body: &pb.Request_Follow{Follow: &pb.Follow{Roots: []*pb.Root{{}}}}}, pb.Code_CODE_MALFORMED},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.serve(t, 1, newMemory(t), region{})
				r := w.dial(t, 0, 1)
				r.sendFrame(c.req)
				m := r.reply()
				if m.GetId() != 1 || m.GetRefusal().GetCode() != c.want || m.GetRefusal().GetSentence() == "" {
					t.Errorf("got %v", m)
				}
				if r.sendFrame(statusRequest(2)); c.req.GetFollow() == nil && r.reply().GetStatus() == nil {
					t.Error("the stream did not go on")
				}
			})
		})
	}
}

// Fields that we do not know yet are passed over, a request that we do not know is
// refused: a newer peer can find out.
func TestServer_newerPeer(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		r := w.dial(t, 0, 1)
		r.send([]byte{4, 1 << 3, 7, 14<<3 | 2, 0})
		if m := r.reply(); m.GetId() != 7 || m.GetRefusal().GetCode() != pb.Code_CODE_MALFORMED {
			t.Errorf("unknown request: %v", m)
		}
		r.send([]byte{6, 1 << 3, 8, 6<<3 | 2, 0, 14 << 3, 1})
		if m := r.reply(); m.GetId() != 8 || m.GetStatus() == nil {
			t.Errorf("unknown field: %v", m)
		}
	})
}

// Single entries that cannot be are refused alone.
func TestServer_badEntries(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		w.serve(t, 1, newMemory(t), region{})
		r := w.dial(t, 0, 1)
		good := post(t, 1, 1)
		req := putRequest(1, records.Put{Place: month(good), Record: good})
		m := req.GetPut()
		m.Records = append(m.GetRecords(), nil, damaged(good), make([]byte, records.MaxRecord+1))
		for i := range uint32(4) {
			m.Entries = append(m.GetEntries(), &pb.PutEntry{Place: month(good).Bytes(), Record: i})
		}
		m.Entries = append(m.GetEntries(), &pb.PutEntry{}, &pb.PutEntry{Place: []byte{255, 0, 0, 0}}, &pb.PutEntry{Place: append(month(good).Bytes(), 0)})
		r.sendFrame(req)
		var got []pb.Code
		for _, o := range r.reply().GetPut().GetOutcomes() {
			got = append(got, o.GetRefusal().GetCode())
		}
		bad := pb.Code_CODE_MALFORMED
		want := []pb.Code{0, 0, bad, pb.Code_CODE_BAD_SIGNATURE, pb.Code_CODE_TOO_LARGE, bad, bad, bad}
		if len(got) != len(want) {
			t.Fatalf("got %v", got)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("entry %d: %s, want %s", i, got[i], want[i])
			}
		}

		r.sendFrame(&pb.Request{Id: 2, Body: &pb.Request_Fetch{Fetch: &pb.Fetch{Queries: []*pb.Query{
			{Place: []byte("nowhere")}, {Place: month(good).Bytes(), Before: &pb.Position{}}, {Place: month(good).Bytes(), Limit: 1 << 31},
		}}}})
		b := r.reply().GetFetch().GetBuckets()
		if len(b) != 3 || b[0].GetRefusal().GetCode() != bad || b[1].GetRefusal().GetCode() != bad || len(b[2].GetRecords()) != 1 {
			t.Errorf("got %v", b)
		}
	})
}

// Who sends a byte a second, or nothing, is gone within half a minute of beginning
// a frame, or after two minutes of silence.
func TestServer_slowWriters(t *testing.T) {
	for _, c := range []struct {
		name string
		send func(r *raw)
		most time.Duration
	}{
		{"silent", func(*raw) {}, protocol.ServerIdle},
		{"a byte a second", trickle, 30 * time.Second},
		{"a length and no body", func(r *raw) { r.send(binary.AppendUvarint(nil, protocol.MaxRequest)) }, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 2, func(t *testing.T, w *world) {
				w.serve(t, 1, newMemory(t), region{})
				r := w.dial(t, 0, 1)
				go c.send(r)
				if d := took(r.drain); d > c.most {
					t.Errorf("held for %s", d)
				}
			})
		})
	}
}

// trickle sends a large frame a byte a second.
func trickle(r *raw) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for _, b := range append(binary.AppendUvarint(nil, protocol.MaxRequest), make([]byte, 1000)...) {
		if !r.send([]byte{b}) {
			return
		}
		<-tick.C
	}
}

// A peer that closes its half has all its answers first, and then a clean end.
func TestServer_halfClose(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w *world) {
		store := newMemory(t)
		store.merged = func(context.Context) error { elapse(time.Second); return nil }
		w.serve(t, 1, store, region{})
		r := w.dial(t, 0, 1)
		p := post(t, 1, 1)
		r.sendFrame(putRequest(1, records.Put{Place: month(p), Record: p}))
		r.sendFrame(statusRequest(2))
		_ = r.CloseWrite()
		if a, b := r.reply(), r.reply(); a.GetStatus() == nil || b.GetPut() == nil {
			t.Errorf("got %v, %v", a, b)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || err.Error() != "EOF" {
			t.Errorf("then %d bytes, %v", n, err)
		}
	})
}

// A peer that resets in mid frame, or while its request is in work, costs nothing.
func TestServer_resets(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		store := newMemory(t)
		var gaveUp atomic.Int32
		store.merged = func(ctx context.Context) error { <-ctx.Done(); gaveUp.Add(1); return ctx.Err() }
		w.serve(t, 1, store, region{})
		p := post(t, 1, 1)
		for range 3 * protocol.MaxStreamsPeer {
			r := w.dial(t, 0, 1)
			r.sendFrame(putRequest(1, records.Put{Place: month(p), Record: p}))
			r.send([]byte{0xff, 0x01, 1, 2, 3})
			synctest.Wait()
			_ = r.Reset()
			synctest.Wait()
		}
		if n := gaveUp.Load(); n != 3*protocol.MaxStreamsPeer {
			t.Errorf("%d of the merges were given up", n)
		}
		if n := w.hosts[1].live(); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
}

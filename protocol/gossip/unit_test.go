package gossip_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/gossip"
	"github.com/starling-social/starling/records"
)

// The id of a message is part of the protocol: a node that computed another would ask for what it has.
func TestMessageID_golden(t *testing.T) {
	const want = "64c2ff73e562bd1ec659048594eea3b2ce687fd9"
	m := &pb.Message{Topic: proto.String("/starling/golden.00000000/live/2a"), Data: []byte("the signed bytes of a post")}
	if got := hex.EncodeToString([]byte(gossip.MessageID(m))); got != want {
		t.Errorf("id %s, want %s", got, want)
	}
}

// Topic and data cannot be shifted into each other, and the same data has another id on another topic.
func TestMessageID_injective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.Custom(func(t *rapid.T) *pb.Message {
			return &pb.Message{
				Topic: proto.String(rapid.StringN(0, 8, 8).Draw(t, "topic")),
				Data:  rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "data"),
			}
		})
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		same := a.GetTopic() == b.GetTopic() && bytes.Equal(a.GetData(), b.GetData())
		if (gossip.MessageID(a) == gossip.MessageID(b)) != same {
			t.Errorf("%v and %v", a, b)
		}
	})
}

// The longest hello that an honest node can send, and the largest record, fit a message.
func TestLimits_honestMessagesFit(t *testing.T) {
	network, err := records.NewNetwork(strings.Repeat("n", 32), records.Params{Neighbourhood: 1, Capacity: 1})
	if err != nil {
		t.Fatal(err)
	}
	hello := &pb.RPC{}
	for shard := range protocol.Shards {
		hello.Subscriptions = append(hello.Subscriptions, &pb.RPC_SubOpts{
			Subscribe: proto.Bool(true), Topicid: proto.String(protocol.Topic(network, byte(shard))),
			RequestsPartial: proto.Bool(false), SupportsSendingPartial: proto.Bool(false),
		})
	}
	record := &pb.RPC{Publish: []*pb.Message{{
		Data: make([]byte, records.MaxRecord), Topic: proto.String(protocol.Topic(network, 0)),
	}}}
	for name, rpc := range map[string]*pb.RPC{"hello": hello, "record": record} {
		if n := proto.Size(rpc); n > gossip.MaxRPC {
			t.Errorf("%s of %d bytes, messages have at most %d", name, n, gossip.MaxRPC)
		}
	}
}

// Whatever is put and taken in whatever order, records come out in order, each either comes out or is counted as missed
// in its place, and no more wait than there is room for.
func TestQueue_ordersAndCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const room = 4
		q := gossip.NewQueue(room)
		in, out, missed, waiting := 0, 0, 0, 0
		number := make(map[*records.Record]int)
		take := func() bool {
			e, ok := q.Take()
			if !ok {
				return false
			}
			if e.Missed > 0 {
				missed += e.Missed
				return true
			}
			if got := number[e.Record]; got != out+missed {
				t.Fatalf("record %d came out in place %d", got, out+missed)
			}
			out++
			waiting--
			return true
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(*rapid.T) {
				r := &records.Record{}
				number[r] = in
				q.Put(r)
				in++
				waiting = min(waiting+1, room)
			},
			"take": func(*rapid.T) { take() },
		})
		for take() {
		}
		if out+missed != in || waiting != 0 {
			t.Fatalf("%d put, %d taken, %d missed, %d left", in, out, missed, waiting)
		}
	})
}

// The seen-set tells new from known, blames only who sent two variants, forgets in time and never grows past its limit.
func TestSeen(t *testing.T) {
	const limit = 100
	s, now := gossip.NewSeen(limit), time.Unix(1e9, 0)
	for _, c := range []struct {
		from string
		want string
	}{{"a", "fresh"}, {"b", "again"}, {"a", "variant"}, {"b", "variant"}, {"c", "again"}} {
		if got := s.Enter(1, records.ID{1}, c.from, now); got != c.want {
			t.Errorf("from %s: %s, want %s", c.from, got, c.want)
		}
	}
	if got := s.Enter(2, records.ID{1}, "a", now); got != "fresh" {
		t.Errorf("on another shard: %s", got)
	}
	s.Forget(2, records.ID{1})
	if got := s.Enter(2, records.ID{1}, "a", now); got != "fresh" {
		t.Errorf("after it was forgotten: %s", got)
	}
	if got := s.Enter(1, records.ID{1}, "d", now.Add(gossip.SeenFor-1)); got != "again" {
		t.Errorf("just in time: %s", got)
	}
	if got := s.Enter(1, records.ID{1}, "d", now.Add(gossip.SeenFor)); got != "fresh" {
		t.Errorf("after its time: %s", got)
	}
	for i := range 10 * limit {
		s.Enter(1, records.ID{byte(i), byte(i >> 8), 7}, "a", now)
	}
	if n := s.Len(); n > limit {
		t.Errorf("remembers %d, at most %d", n, limit)
	}
}

// What New cannot work with it refuses.
func TestNew_refuses(t *testing.T) {
	here, err := records.TestNetwork("here")
	if err != nil {
		t.Fatal(err)
	}
	there, err := records.TestNetwork("there")
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]gossip.Config{
		"nothing":      {},
		"no host":      {Network: here, Door: records.NewDoor(here, 1)},
		"another door": {Network: here, Door: records.NewDoor(there, 1)},
	} {
		if _, err := gossip.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if fmt.Sprint(gossip.ID(here)) != "/starling/"+here.ID()+"/meshsub/1.3.0" {
		t.Errorf("protocol id %s", gossip.ID(here))
	}
}

package gossip_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/gossip"
	"github.com/starling-social/starling/records"
)

// exchangeTime is enough for a few round trips.
const exchangeTime = time.Second

// Half a million topics are named to a node, a few in each message, and as many again by another peer in full messages.
// Its memory does not grow, and who filled the messages is heard no more.
func TestGossip_subscriptionFlood(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(2, birds))
		w.add(2)
		w.weave(0)
		sly, loud := w.stranger(false).call(w.members[0]), w.stranger(false).call(w.members[0])
		before := heap()
		topics := size(500_000, 100_000)
		for _, c := range []struct {
			by *line
			in int
		}{{sly, 16}, {loud, 700}} {
			for n := 0; n < topics; n += c.in {
				rpc := &pb.RPC{}
				for i := range c.in {
					rpc.Subscriptions = append(rpc.Subscriptions, subscribe(proto.String(fmt.Sprintf("%x/%x", c.in, n+i))).GetSubscriptions()...)
				}
				c.by.say(rpc)
			}
		}
		elapse(exchangeTime)
		if grown := heap() - before; grown > 8<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
		if got := w.members[0].Standing(loud.s.host.ID()); got >= gossip.NoHearing {
			t.Errorf("standing of the loud one: %v", got)
		}
		e := w.listen(w.members[1], birds)
		r := w.announce(w.members[0], "still here", birds)
		elapse(exchangeTime)
		wantOnce(w, []*ear{e}, []*records.Record{r})
	})
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Grafts for topics that nobody relays or that do not exist give no place in a mesh.
func TestGossip_graftsOfStrangeTopics(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(2, birds))
		w.add(2)
		w.weave(0)
		s := w.stranger(false)
		s.call(w.members[0]).say(subscribe(w.topic(stones)),
			graft(w.topic(stones), proto.String(""), proto.String("\xff\xfe"), proto.String("no/such/topic")))
		elapse(3 * time.Second)
		w.announce(w.members[1], "hello", birds)
		w.announce(w.members[0], "hello", stones)
		elapse(exchangeTime)
		if n := s.count(posts); n != 1 { // its author's own, to who said it was on the topic
			t.Errorf("a peer in no mesh was sent %d posts", n)
		}
	})
}

// Twenty peers that refuse our stream graft themselves. pubsub would give them places in the mesh, and keep them there
// when they have gone. The mesh stays open for who takes posts.
func TestGossip_muteGrafts(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(1, birds))
		w.add(1)
		for range 20 {
			mute := w.stranger(true)
			mute.call(w.members[0]).say(subscribe(w.topic(birds)), graft(w.topic(birds)))
			elapse(200 * time.Millisecond)
			w.must(mute.host.Close())
		}
		s := w.stranger(false)
		s.call(w.members[0]).say(subscribe(w.topic(birds)))
		elapse(3 * time.Second)
		if s.count(grafts) != 1 {
			t.Errorf("grafted %d times, want once", s.count(grafts))
		}
		w.announce(w.members[0], "hello", birds)
		elapse(exchangeTime)
		if got := w.members[0].Stats(); s.count(posts) != 1 || got.Unsent != 0 {
			t.Errorf("sent %d posts: %+v", s.count(posts), got)
		}
	})
}

// A peer asks to be left out of the mesh for 300 years, or for longer than a duration can say, and offers peers to dial.
// It is grafted again once the longest time that anybody may ask for is over, and nobody was dialled.
func TestGossip_pruneForEver(t *testing.T) {
	for _, backoff := range []uint64{0, 1 << 33, 1 << 63, 1<<64 - 1} {
		t.Run(fmt.Sprint(backoff), func(t *testing.T) {
			inWorld(t, nodetest.LinksConfig{}, func(w *world) {
				w.relayed(only(2, birds))
				w.add(2)
				w.weave(0)
				s, victim := w.stranger(false), w.stranger(false)
				l := s.call(w.members[0])
				l.say(subscribe(w.topic(birds)))
				elapse(3 * time.Second)
				if s.count(grafts) != 1 {
					t.Fatalf("grafted %d times, want once", s.count(grafts))
				}
				l.say(control(&pb.ControlMessage{Prune: []*pb.ControlPrune{{
					TopicID: w.topic(birds), Backoff: &backoff, Peers: []*pb.PeerInfo{{PeerID: []byte(victim.host.ID())}},
				}}}))
				elapse(gossip.MaxBackoff + time.Minute)
				if s.count(grafts) < 2 {
					t.Error("not grafted again")
				}
				if n := len(w.members[0].host.Network().ConnsToPeer(victim.host.ID())); n != 0 {
					t.Error("a peer was dialled because another named it")
				}
			})
		})
	}
}

// A peer offers by name thousands of posts that do not exist. It is asked for a bounded
// number a second, and not at all for a while when it gives none.
func TestGossip_offersFlood(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(2, birds))
		w.add(2)
		w.weave(0)
		s := w.stranger(false)
		l := s.call(w.members[0])
		l.say(subscribe(w.topic(birds)))
		before, n := heap(), 0
		for range 60 {
			for range 40 {
				offer := &pb.ControlIHave{TopicID: w.topic(birds)}
				for range 500 {
					n++
					offer.MessageIDs = append(offer.MessageIDs, fmt.Sprintf("%020d", n))
				}
				l.say(control(&pb.ControlMessage{Ihave: []*pb.ControlIHave{offer}}))
			}
			elapse(time.Second)
		}
		asked := s.count(wishes)
		t.Logf("asked for %d of %d", asked, n)
		if asked > 40*gossip.MaxIDsAsked { // heartbeats of 60
			t.Errorf("asked for %d posts that do not exist", asked)
		}
		if grown := heap() - before; grown > 32<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
		if s.count(posts) != 0 {
			t.Error("unexpected posts")
		}
	})
}

// A hundred requests for the same post are answered a few times; a thousand refusals of posts cost little.
func TestGossip_wishesAreBounded(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(2, birds))
		w.add(2)
		w.weave(0)
		s := w.stranger(false)
		l := s.call(w.members[0])
		r := w.announce(w.members[0], "hello", birds)
		elapse(exchangeTime)
		id := gossip.MessageID(&pb.Message{Data: r.Bytes(), Topic: w.topic(birds)})
		for range 100 {
			l.say(control(&pb.ControlMessage{Iwant: []*pb.ControlIWant{{MessageIDs: []string{id, id, id}}}}))
		}
		for range 1000 {
			l.say(control(&pb.ControlMessage{Idontwant: []*pb.ControlIDontWant{{MessageIDs: []string{"a", "b", ""}}}}))
		}
		elapse(exchangeTime)
		if n := s.count(posts); n > 3 {
			t.Errorf("sent %d times", n)
		}
	})
}

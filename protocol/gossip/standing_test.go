package gossip_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/gossip"
)

// freeRider takes part with the library's own pubsub, which drops every post it is sent instead of passing it on.
type freeRider struct {
	host host.Host

	mu   sync.Mutex // protects mesh
	mesh map[peer.ID]struct{}
}

func (w *world) freeRider() *freeRider {
	w.Helper()
	f := &freeRider{host: w.host(), mesh: make(map[peer.ID]struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	w.Cleanup(cancel)
	ps, err := pubsub.NewGossipSub(ctx, f.host, w.plainPubsub(pubsub.WithEventTracer(f), pubsub.WithDefaultValidator(
		func(context.Context, peer.ID, *pubsub.Message) pubsub.ValidationResult {
			return pubsub.ValidationIgnore
		},
	))...)
	w.must(err)
	topic, err := ps.Join(*w.topic(birds))
	w.must(err)
	_, err = topic.Relay()
	w.must(err)
	for _, m := range w.members {
		w.connect(f.host, m.host)
	}
	return f
}

// Trace keeps the mesh as the free-rider sees it.
func (f *freeRider) Trace(e *pb.TraceEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e.GetType() {
	case pb.TraceEvent_GRAFT:
		f.mesh[peer.ID(e.GetGraft().GetPeerID())] = struct{}{}
	case pb.TraceEvent_PRUNE:
		delete(f.mesh, peer.ID(e.GetPrune().GetPeerID()))
	default:
	}
}

func (f *freeRider) meshSize() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.mesh)
}

// Two nodes of a network of fourteen take every post and pass none on. Everybody puts them out of the mesh; the honest,
// of whom some never post, keep their standing.
func TestStanding_freeRider(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		honest := size(12, 8)
		w.relayed(only(honest, birds))
		w.add(honest)
		w.weave(2)
		riders := []*freeRider{w.freeRider(), w.freeRider()}
		elapse(10 * time.Second)
		for _, f := range riders {
			if f.meshSize() == 0 {
				t.Fatal("a free-rider was in no mesh from the beginning")
			}
		}
		n := 0
		for ; riders[0].meshSize()+riders[1].meshSize() > 0 && n < 2*len(w.members)*gossip.DebtLimit; n++ {
			w.announce(w.members[n%6], fmt.Sprint(n), birds)
			elapse(gossip.ChargeEvery)
		}
		for _, f := range riders {
			if n := f.meshSize(); n != 0 {
				t.Errorf("a free-rider is in the mesh of %d nodes", n)
			}
		}
		below := 0
		for i, m := range w.members {
			for _, f := range riders {
				if m.Standing(f.host.ID()) < 0 {
					below++
				}
			}
			for j, o := range w.members {
				if got := m.Standing(o.host.ID()); got < 0 {
					t.Errorf("node %d, honest, stands at %v with node %d", j, got, i)
				}
			}
		}
		t.Logf("after %d posts below 0 with %d of %d", n, below, 2*len(w.members))
	})
}

// A shard is silent for a while, then has a post now and then. Nobody loses standing for it.
func TestStanding_quietShard(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(8, birds))
		w.add(8)
		w.weave(2)
		elapse(10 * time.Minute)
		for i := range 10 {
			w.announce(w.members[i%2], fmt.Sprint(i), birds)
			elapse(time.Minute)
		}
		for i, m := range w.members {
			for j, o := range w.members {
				if got := m.Standing(o.host.ID()); got < 0 {
					t.Errorf("node %d stands at %v with node %d", j, got, i)
				}
			}
		}
	})
}

// Four in five of the peers are free-riders, connected to everybody. The honest minority still hears every post.
func TestStanding_delivery(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		honest := size(10, 5)
		w.relayed(only(honest, birds))
		w.add(honest)
		w.weave(2)
		for range 4 * honest {
			w.freeRider()
		}
		elapse(5 * time.Second)
		var ears []*ear
		for _, m := range w.members {
			ears = append(ears, w.listen(m, birds))
		}
		posts := w.posts(size(120, 40), 200*time.Millisecond)
		elapse(10 * time.Second)
		wantOnce(w, ears, posts)
	})
}

// Whatever a peer did before, once it has taken as many posts as the limit of its debt that others brought, not all at
// once, without bringing one, it stands below 0; and it stays there for minutes, also if it leaves and comes back.
func TestLedger_neverForwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, now := gossip.NewLedger(), time.Unix(1e9, 0)
		const rider, honest = peer.ID("rider"), peer.ID("honest")
		shard := rapid.Byte().Draw(t, "shard")
		l.Graft(rider, shard, now)
		n := 0
		deliver := func(by ...peer.ID) {
			n++
			l.Deliver(fmt.Sprint(n), shard, rapid.IntRange(0, gossip.LazyFrom-1).Draw(t, "size"), now, by...)
		}
		for range rapid.IntRange(0, 300).Draw(t, "good posts") {
			deliver(rapid.SampledFrom([][]peer.ID{{rider}, {honest, rider}, {rider, honest}}).Draw(t, "bringers")...)
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
		}
		now = now.Add(gossip.SettlingInMesh)
		l.Tick(now)
		if l.Score(rider) < 0 {
			t.Fatalf("honest so far, and stands at %v", l.Score(rider))
		}
		for range gossip.DebtLimit {
			deliver(honest)
			now = now.Add(gossip.ChargeEvery + time.Duration(rapid.IntRange(0, 1000).Draw(t, "ms"))*time.Millisecond)
		}
		now = now.Add(gossip.SettleAfter)
		l.Tick(now)
		for _, then := range []func(){
			func() {},
			func() { l.Prune(rider, shard, now) },
			func() { l.Gone(rider, now) },
			func() { now = now.Add(9 * time.Minute); l.Tick(now) },
			func() { l.Graft(rider, shard, now) },
		} {
			then()
			if l.Score(rider) >= 0 {
				t.Fatalf("stands at %v after taking %d posts", l.Score(rider), gossip.DebtLimit)
			}
		}
		if l.Score(honest) <= 0 {
			t.Fatalf("the honest one stands at %v", l.Score(honest))
		}
	})
}

// A peer that brings one post in ten never falls below 0, however many there are; nor does one that nothing was
// expected of: posts so large that we asked for no copies, or those of its first seconds in the mesh.
func TestLedger_honest(t *testing.T) {
	l, now := gossip.NewLedger(), time.Unix(1e9, 0)
	const seldom, large, late, other = peer.ID("seldom"), peer.ID("large"), peer.ID("late"), peer.ID("other")
	l.Graft(seldom, 1, now)
	l.Graft(large, 2, now)
	now = now.Add(gossip.SettlingInMesh)
	for i := range 5000 {
		by := []peer.ID{other}
		if i%10 == 9 {
			by = append(by, seldom)
		}
		l.Deliver(fmt.Sprint(i), 1, 300, now, by...)
		l.Deliver(fmt.Sprint("large", i), 2, gossip.LazyFrom, now, other)
		if now = now.Add(gossip.ChargeEvery); i%16 == 0 { // 4 s
			l.Graft(late, 1, now)
			l.Tick(now)
		}
		if l.Score(seldom) < 0 || l.Score(large) < 0 || l.Score(late) < 0 {
			t.Fatalf("post %d: %v %v %v", i, l.Score(seldom), l.Score(large), l.Score(late))
		}
	}
}

// Offences outweigh any credit, are remembered for minutes and forgotten in the end.
func TestLedger_offences(t *testing.T) {
	l, now := gossip.NewLedger(), time.Unix(1e9, 0)
	const p = peer.ID("forger")
	for i := range 1000 {
		l.Deliver(fmt.Sprint(i), 1, 300, now, p)
	}
	l.Tick(now)
	now = now.Add(gossip.SettleAfter)
	l.Tick(now)
	if got := l.Score(p); got != gossip.MaxCredit {
		t.Fatalf("credit: %v", got)
	}
	for i := range 4 {
		if got := l.Score(p); (got < 0) != (i >= 2) {
			t.Errorf("after %d offences: %v", i, got)
		}
		l.Reject(fmt.Sprint("forged", i), p)
	}
	if got := l.Score(p); got >= gossip.NoHearing {
		t.Errorf("after 4 offences: %v", got)
	}
	for range 3600 {
		now = now.Add(time.Second)
		l.Tick(now)
	}
	if got := l.Score(p); got != 0 {
		t.Errorf("an hour later: %v", got)
	}
}

// What a peer did elsewhere counts here too: who lies in the DHT is not heard, who is in
// good standing is.
func TestStanding_elsewhere(t *testing.T) {
	for name, penalty := range map[string]float64{"banned": -150, "in good standing": 0} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nodetest.LinksConfig{}, func(w *world) {
				w.relayed(only(2, birds))
				w.add(1)
				author := w.members[0]
				w.add(1, func(c *gossip.Config) {
					c.Standing = func(p peer.ID) float64 {
						if p == author.host.ID() {
							return penalty
						}
						return 0
					}
				})
				w.weave(1)
				ear := w.listen(w.members[1], birds)
				w.announce(author, "one", birds)
				elapse(10 * time.Second)
				if heard := ear.all() > 0; heard != (penalty == 0) {
					t.Errorf("heard %v", heard)
				}
			})
		})
	}
}

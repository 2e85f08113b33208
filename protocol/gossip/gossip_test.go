package gossip_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/gossip"
	"github.com/starling-social/starling/records"
)

// Forty nodes, each connected to about six others; posts by ten of them reach everybody, each exactly once.
func TestGossip_everybodyHearsOnce(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{Seed: 1}, func(w *world) {
		n := size(40, 16)
		w.relayed(only(n, birds))
		w.add(n, func(c *gossip.Config) { c.PeersPerIP = 8 })
		w.weave(2)
		var ears []*ear
		for _, m := range w.members {
			ears = append(ears, w.listen(m, birds))
		}
		var posts []*records.Record
		for i, m := range w.members[:10] {
			posts = append(posts, w.announce(m, fmt.Sprint(i), birds))
		}
		elapse(5 * time.Second)
		wantOnce(w, ears, posts)
	})
}

// A post with tags of three shards, watched under two of its tags and announced by two nodes, is heard once.
func TestGossip_oncePerSubscription(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(4, birds, stones))
		w.add(4)
		w.weave(1)
		all := w.listen(w.members[2], birds, fish, stones)
		one := w.listen(w.members[2], birds)
		own := w.listen(w.members[0], stones)
		r := w.announce(w.members[0], "all of it", birds, fish, stones)
		elapse(exchangeTime)
		w.must(w.members[1].Announce(w.Context(), r))
		w.must(w.members[0].Announce(w.Context(), r))
		elapse(5 * time.Second)
		wantOnce(w, []*ear{all, one, own}, []*records.Record{r})
		if n := w.members[0].Stats().Announced; n != 2 {
			t.Errorf("announced on %d shards, want 2", n)
		}
	})
}

// Two tags share a shard. Who watches one does not hear the other, nor the same post twice.
func TestGossip_oneTagOfAShard(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(3, birds))
		w.add(3)
		w.weave(1)
		onBirds, onFish := w.listen(w.members[1], birds), w.listen(w.members[1], fish)
		bird := w.announce(w.members[0], "a bird", birds)
		both := w.announce(w.members[0], "a bird with a fish", birds, fish)
		elapse(exchangeTime)
		wantOnce(w, []*ear{onBirds}, []*records.Record{bird, both})
		wantOnce(w, []*ear{onFish}, []*records.Record{both})
	})
}

// Neither author nor watcher relays the shard or is connected to anybody. Both find relays, the watcher stays connected
// to some when others die, and the relays carry the posts.
func TestGossip_throughRelays(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		relays := []int{2, 3, 4, 5, 6, 7, 8, 9}
		w.relayed(func(byte) []int { return relays })
		w.add(10)
		elapse(3 * time.Second) // the relays find each other
		author, watcher := w.members[0], w.members[1]
		e := w.listen(watcher, birds)
		elapse(2 * time.Second)
		links := watcher.host.Network().Peers()
		if len(links) < 3 || len(links) > 4 {
			t.Errorf("the watcher has %d links, want a few", len(links))
		}
		posts := []*records.Record{w.announce(author, "one", birds)}
		elapse(exchangeTime)
		wantOnce(w, []*ear{e}, posts)

		var dead []int
		for n, m := range w.members { // all that the watcher chose
			if m.host.Network().Connectedness(watcher.host.ID()) == network.Connected {
				w.links.Kill(n)
				m.stop()
				dead = append(dead, n)
			}
		}
		w.relayed(func(byte) []int {
			return slices.DeleteFunc(slices.Clone(relays), func(r int) bool { return slices.Contains(dead, r) })
		})
		elapse(time.Minute)
		posts = append(posts, w.announce(author, "two", birds))
		elapse(5 * time.Second)
		wantOnce(w, []*ear{e}, posts)
	})
}

// When no relay of a shard answers, the author is told, and when one does it works. Alone there is nobody to tell.
func TestGossip_unreached(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(func(byte) []int { return []int{1} })
		w.add(3)
		w.links.Partition([]int{0}, []int{1, 2})
		r := w.post(w.members[0], "anybody?", birds)
		if err := w.members[0].Announce(w.Context(), r); !errors.Is(err, gossip.ErrUnreached) {
			t.Errorf("announce without relays: %v", err)
		}
		w.links.Heal()
		elapse(time.Minute) // libp2p does not dial a peer again at once
		e := w.listen(w.members[2], birds)
		elapse(exchangeTime)
		w.must(w.members[0].Announce(w.Context(), r))
		elapse(exchangeTime)
		wantOnce(w, []*ear{e}, []*records.Record{r})
	})
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.add(1)
		e := w.listen(w.members[0], birds)
		r := w.announce(w.members[0], "nobody", birds)
		elapse(exchangeTime)
		wantOnce(w, []*ear{e}, []*records.Record{r})
	})
}

// A node's prefix grows: it leaves the shards that are no longer its own and relays the others, and posts go on.
func TestGossip_relaysByPrefix(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.add(8)
		w.weave(2)
		e := w.listen(w.members[0], birds)
		for _, m := range w.members {
			if s := m.Stats(); s.Relayed != protocol.Shards {
				t.Fatalf("relays %d shards, want all", s.Relayed)
			}
		}
		mine := protocol.ShardOf(birds) % 2
		w.relayed(func(shard byte) []int { // even shards to even nodes, odd ones to odd nodes
			if shard%2 == 0 {
				return []int{0, 2, 4, 6}
			}
			return []int{1, 3, 5, 7}
		})
		elapse(5 * time.Second)
		for _, m := range w.members {
			if s := m.Stats(); s.Relayed != protocol.Shards/2 {
				t.Fatalf("relays %d shards, want half", s.Relayed)
			}
		}
		var posts []*records.Record
		for _, m := range w.members {
			posts = append(posts, w.announce(m, "after", birds))
		}
		elapse(5 * time.Second)
		wantOnce(w, []*ear{e}, posts)
		for n, m := range w.members {
			relays := byte(n)%2 == mine
			if heard := m.Stats().Delivered > 0; heard != (relays || n == 0) {
				t.Errorf("node %d relays the shard: %v, was sent its posts: %v", n, relays, heard)
			}
		}
	})
}

// Five in a hundred packets are lost, and a third of the nodes die. Who is left hears everything.
func TestGossip_lossAndDeath(t *testing.T) {
	lossy := func(from, to int) nodetest.Link {
		return nodetest.Link{Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.05}
	}
	inWorld(t, nodetest.LinksConfig{Seed: 3, Link: lossy}, func(w *world) {
		n := size(36, 15)
		dead := n / 3
		w.relayed(only(n, birds))
		w.add(n)
		w.weave(3)
		var ears []*ear
		for _, m := range w.members[dead:] {
			ears = append(ears, w.listen(m, birds))
		}
		var posts []*records.Record
		for i := range size(60, 30) {
			posts = append(posts, w.announce(w.members[dead+i%(n-dead)], fmt.Sprint(i), birds))
			elapse(200 * time.Millisecond)
			if i == 20 {
				for d, m := range w.members[:dead] {
					w.links.Kill(d)
					go m.stop()
				}
			}
		}
		elapse(20 * time.Second)
		wantOnce(w, ears, posts)
	})
}

// A subscription is not read while posts arrive. It is told how many it missed, where they would have been, and hears
// what comes later; nobody else notices.
func TestGossip_gap(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(2, birds))
		w.add(2)
		w.weave(0)
		slow, err := w.members[1].Subscribe(w.Context(), birds)
		w.must(err)
		e := w.listen(w.members[1], birds)
		const missed = 40
		var posts []*records.Record
		for i := range gossip.WatchQueue + missed {
			posts = append(posts, w.announce(w.members[0], fmt.Sprint(i), birds))
			elapse(50 * time.Millisecond) // in order
		}
		wantOnce(w, []*ear{e}, posts)
		for i := range gossip.WatchQueue {
			event, err := slow.Next(w.Context())
			w.must(err)
			if event.Record == nil || event.Record.ID() != posts[i].ID() {
				t.Fatalf("event %d: %+v", i, event)
			}
		}
		after := w.announce(w.members[0], "after", birds)
		elapse(exchangeTime)
		gap, err := slow.Next(w.Context())
		w.must(err)
		if gap.Missed != missed || gap.Record != nil {
			t.Errorf("gap: %+v, want %d", gap, missed)
		}
		last, err := slow.Next(w.Context())
		w.must(err)
		if last.Record == nil || last.Record.ID() != after.ID() {
			t.Errorf("after the gap: %+v", last)
		}
		slow.Close()
		if _, err := slow.Next(w.Context()); !errors.Is(err, gossip.ErrStopped) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// The last subscription to a shard takes the node off it.
func TestGossip_unsubscribes(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(func(byte) []int { return []int{0, 1, 2} })
		w.add(4)
		w.weave(2)
		m := w.members[3]
		ctx, cancel := context.WithCancel(w.Context())
		first, err := m.Subscribe(ctx, birds)
		w.must(err)
		second, err := m.Subscribe(w.Context(), fish)
		w.must(err)
		elapse(2 * time.Second)
		cancel()
		synctest.Wait()
		if _, err := first.Next(w.Context()); !errors.Is(err, gossip.ErrStopped) {
			t.Errorf("after its context ended: %v", err)
		}
		if n := m.Stats().Watched; n != 1 {
			t.Errorf("watches %d shards with one subscription left", n)
		}
		second.Close()
		second.Close()
		elapse(exchangeTime)
		before := m.Stats().Delivered
		w.announce(w.members[0], "to nobody", birds)
		elapse(3 * time.Second)
		if s := m.Stats(); s.Watched != 0 || s.Delivered != before {
			t.Errorf("still on the shard: %+v", s)
		}
	})
}

// Clocks differ. What a clock that is off by half a minute calls new is new; by less than the grace it is ignored, and
// nobody is blamed.
func TestGossip_clocks(t *testing.T) {
	var offset atomic.Int64
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(3, birds))
		w.add(1)
		w.add(2, func(c *gossip.Config) {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
		})
		w.weave(1)
		e := w.listen(w.members[1], birds)
		var heard []*records.Record
		for _, c := range []struct {
			off   time.Duration
			heard bool
		}{{30 * time.Second, true}, {-110 * time.Second, true}, {150 * time.Second, false}, {-150 * time.Second, false}} {
			offset.Store(int64(c.off))
			r := w.announce(w.members[0], c.off.String(), birds)
			elapse(exchangeTime)
			if c.heard {
				heard = append(heard, r)
			}
		}
		wantOnce(w, []*ear{e}, heard)
		if got := w.members[1].Standing(w.members[0].host.ID()); got < 0 {
			t.Errorf("blamed for a clock: %v", got)
		}
		stale := w.postAt(w.members[0], time.Now().Add(-3*time.Minute), "old", birds)
		if err := w.members[0].Announce(w.Context(), stale); !errors.Is(err, gossip.ErrStale) {
			t.Errorf("announce an old post: %v", err)
		}
	})
}

// What was passed on is not passed on again: soon after, after the seen-cache has forgotten it, and to a node that was
// started anew.
func TestGossip_replay(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(3, birds))
		w.add(2)
		w.weave(0)
		e := w.listen(w.members[1], birds)
		r := w.announce(w.members[0], "once", birds)
		for _, wait := range []time.Duration{time.Second, 120 * time.Second, 200 * time.Second, time.Hour} {
			elapse(wait)
			w.stranger(false).call(w.members[0]).say(w.publish(r.Bytes(), birds))
			elapse(exchangeTime)
		}
		w.add(1)
		w.connect(w.members[2].host, w.members[1].host)
		w.stranger(false).call(w.members[2]).say(w.publish(r.Bytes(), birds))
		elapse(exchangeTime)
		wantOnce(w, []*ear{e}, []*records.Record{r})
		if s := w.members[2].Stats(); s.Delivered != 0 {
			t.Errorf("a new node passed on what is old: %+v", s)
		}
	})
}

// Gossip ends within a moment although peers keep their streams open and read nothing, and leaves no goroutine behind.
func TestGossip_ends(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.add(3)
		w.weave(1)
		s := w.stranger(true)
		s.host.SetStreamHandler(gossip.ID(w.network), func(network.Stream) {}) // never reads
		s.call(w.members[0]).say(subscribe(w.topic(birds)))
		sub, err := w.members[0].Subscribe(context.Background(), birds)
		w.must(err)
		began := time.Now()
		w.members[0].stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s to end", took)
		}
		synctest.Wait()
		if _, err := sub.Next(w.Context()); !errors.Is(err, gossip.ErrStopped) {
			t.Errorf("subscription after the end: %v", err)
		}
		sub.Close()
		if err := w.members[0].Announce(w.Context(), w.post(w.members[0], "late", birds)); !errors.Is(err, gossip.ErrStopped) {
			t.Errorf("announce after the end: %v", err)
		}
		if err := w.members[0].Run(w.Context()); err == nil {
			t.Error("ran twice")
		}
	})
	// One node alone, so whatever is left of pubsub is its own; and a peer that holds on to both streams.
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.add(1)
		s := w.stranger(true)
		s.host.SetStreamHandler(gossip.ID(w.network), func(network.Stream) {})
		s.call(w.members[0]).say(subscribe(w.topic(birds)))
		elapse(exchangeTime)
		if !strings.Contains(stacks(), "go-libp2p-pubsub.") {
			t.Error("pubsub does not run")
		}
		w.members[0].stop()
		synctest.Wait()
		if left := stacks(); strings.Contains(left, "go-libp2p-pubsub.") {
			t.Errorf("pubsub is still running:\n%s", left)
		}
	})
}

// stacks are those of all goroutines.
func stacks() string {
	buf := make([]byte, 16<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

package nodetest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

func eight(seed uint64) nodetest.Config {
	return nodetest.Config{Nodes: 8, Links: nodetest.LinksConfig{Seed: seed}, Tune: healing(2 * time.Minute)}
}

// Those who accept and never answer cannot keep a post from being stored, nor from
// being read: they are waited for only as long as a request may take.
func TestAdversary_silent(t *testing.T) {
	crowd(t, eight(1), func(ctx context.Context, net *nodetest.Network) {
		third := net.Third()
		for _, x := range third {
			x.Play(nodetest.Silent(x))
		}
		honest := without(net, third...)
		took := took(func() { publish(ctx, t, honest[0], "in spite of you #sky") })
		if limit := 3 * starling.Default().PutTimeout; took > limit {
			t.Errorf("a post took %s, want %s at most", took, limit)
		}
		mustShow(ctx, t, honest, "sky", "in spite of you #sky")
		net.Pass(10 * time.Minute) // comparisons with them come to nothing and hold nothing up
		publish(ctx, t, honest[1], "and again #sky")
		mustShow(ctx, t, honest, "sky", "in spite of you #sky", "and again #sky")
		for _, x := range honest {
			if x.Status().Healing.Compared.IsZero() {
				t.Errorf("node %d has compared with nobody", x.Index)
			}
		}
	})
}

// Those who acknowledge and drop count as members that have a post, and yet it is on
// others enough to be read; they do not make healing move it again and again.
func TestAdversary_forgetful(t *testing.T) {
	crowd(t, eight(2), func(ctx context.Context, net *nodetest.Network) {
		third := net.Third()
		for _, x := range third {
			x.Play(nodetest.Forgetful())
		}
		honest := without(net, third...)
		const posts = 10
		var want []string
		for i := range posts {
			want = append(want, fmt.Sprintf("post %d #sky", i))
			publish(ctx, t, honest[i%len(honest)], want[i])
		}
		mustShow(ctx, t, honest, "sky", want...)
		before := given(honest)
		const minutes = 20
		net.Pass(minutes * time.Minute)
		mustShow(ctx, t, honest, "sky", want...)
		// Each place once a minute at most, from each of us to each of them; and all
		// posts are in the four places of a tag and a few users.
		bound := int64(minutes * posts * 5 * len(third) * len(honest))
		if moved := given(honest) - before; moved > bound {
			t.Errorf("%d records were given to who drops them, %d at most", moved, bound)
		}
	})
}

func given(nodes []*nodetest.Node) (sum int64) {
	for _, x := range nodes {
		sum += x.Status().Healing.Given
	}
	return sum
}

// Those who answer everybody something else each time, and not once the truth, keep no
// post from being stored and hide none: what readers are shown is what others show.
func TestAdversary_liar(t *testing.T) {
	crowd(t, eight(7), func(ctx context.Context, net *nodetest.Network) {
		third := net.Third()
		odd := func(r *records.Record) bool { return r.ItemKey()[0]%2 == 1 }
		for _, x := range third {
			x.Play(nodetest.Liar(nodetest.Empty(), nodetest.Swallow(), nodetest.Withhold(odd), nodetest.Babble(), nodetest.FalseWitnesses(), nodetest.Displace()))
		}
		honest := without(net, third...)
		var want []string
		for i := range 12 {
			want = append(want, fmt.Sprintf("post %d #sky", i))
			publish(ctx, t, honest[i%len(honest)], want[i])
		}
		mustShow(ctx, t, honest, "sky", want...)
		net.Pass(10 * time.Minute)
		mustShow(ctx, t, honest, "sky", want...)
	})
}

// Who shows first versions, lets others compare with them and puts them again turns
// nothing back: the newest version is what everybody reads and holds.
func TestAdversary_replayer(t *testing.T) {
	crowd(t, eight(3), func(ctx context.Context, net *nodetest.Network) {
		author, liar := net.Nodes[0], net.Nodes[5]
		past := net.Replay(ctx, liar)
		r := publish(ctx, t, author, "frist #sky")
		mustEdit(ctx, t, author, r, "second #sky")
		mustEdit(ctx, t, author, r, "third #sky")
		mustPush(ctx, t, past)
		net.Pass(10 * time.Minute)
		mustShow(ctx, t, without(net, liar), "sky", "third #sky")
		mustPush(ctx, t, past)
		mustShow(ctx, t, without(net, liar), "sky", "third #sky")
	})
}

// Who remembers what was deleted cannot bring it back: not by showing it, not in a
// comparison, not by putting it and not by announcing it.
func TestAdversary_resurrecter(t *testing.T) {
	crowd(t, eight(4), func(ctx context.Context, net *nodetest.Network) {
		author, ghost := net.Nodes[0], net.Nodes[6]
		kept, gone := publish(ctx, t, author, "stays #sky"), publish(ctx, t, author, "goes #sky")
		past := net.Resurrect(ctx, ghost)
		receipt, err := author.Delete(ctx, gone.Ref())
		if err != nil {
			t.Fatal(err)
		}
		events := watching(ctx, net.Nodes[3], "sky")
		mustPush(ctx, t, past)
		net.Pass(10 * time.Minute) // several comparisons
		mustPush(ctx, t, past)
		mustShow(ctx, t, without(net, ghost), "sky", "stays #sky")
		for _, r := range events() {
			if r.ItemKey() == gone.ItemKey() && !r.Deleted() {
				t.Error("a watcher was shown what is deleted")
			}
		}
		ghost.Play(nodetest.Adversary{})
		mustHold(t, net, []*records.Record{kept, receipt.Record})
	})
}

func mustEdit(ctx context.Context, t *testing.T, x *nodetest.Node, r *records.Record, text string) {
	t.Helper()
	if _, err := x.Edit(ctx, r.Ref(), text); err != nil {
		t.Fatalf("edit: %v", err)
	}
}

func mustPush(ctx context.Context, t *testing.T, p *nodetest.Past) {
	t.Helper()
	if n, err := p.Push(ctx); err != nil || n == 0 {
		t.Fatalf("pushed %d old records: %v", n, err)
	}
}

// watching watches a hashtag until the function that it returns is called, which tells
// what was seen after the past.
func watching(ctx context.Context, x *nodetest.Node, tag records.Tag) (stop func() []*records.Record) {
	ctx, cancel := context.WithCancel(ctx)
	seen := make(chan []*records.Record)
	go func() {
		var all []*records.Record
		for e, err := range x.Watch(ctx, []starling.Source{starling.TagSource(tag)}, 0) {
			if err == nil && e.Record != nil && e.Live {
				all = append(all, e.Record)
			}
		}
		seen <- all
	}()
	return func() []*records.Record {
		cancel()
		return <-seen
	}
}

// A flood of garbage ends nobody and teaches nobody anything; a flood of good posts is
// stored like any posts, and hides none of others.
func TestAdversary_spammer(t *testing.T) {
	posts := 100
	if testing.Short() {
		posts = 20
	}
	crowd(t, eight(5), func(ctx context.Context, net *nodetest.Network) {
		honest := net.Nodes[:4]
		publish(ctx, t, honest[0], "before #sky")
		entries := honest[1].Entries()
		spammer := net.Spammer(1)
		streams := 0
		for _, x := range net.Nodes {
			for range 3 {
				n, err := spammer.Garbage(ctx, x, 4096)
				if err != nil {
					t.Fatal(err)
				}
				streams += n
			}
		}
		if streams == 0 {
			t.Fatal("no stream of garbage was opened")
		}
		if n := honest[1].Entries(); n != entries {
			t.Errorf("garbage left %d entries", n-entries)
		}
		for i := range posts {
			if _, err := spammer.Post(ctx, net.Nodes[7], fmt.Sprint("buy this ", i), "sky"); err != nil {
				t.Fatal(err)
			}
		}
		publish(ctx, t, honest[0], "after #sky")
		for _, x := range honest {
			texts, gap := shown(ctx, t, x, "sky")
			if len(texts) != posts+2 || gap {
				t.Errorf("node %d reads %d of %d posts", x.Index, len(texts), posts+2)
			}
		}
	})
}

// One that dribbles a byte a second holds up neither who writes nor who reads.
func TestAdversary_slow(t *testing.T) {
	crowd(t, eight(6), func(ctx context.Context, net *nodetest.Network) {
		slow := net.Nodes[2]
		net.Links.Slow(slow.Index, 1)
		others := without(net, slow)
		var want []string
		for i := range 4 {
			want = append(want, fmt.Sprintf("swift %d #sky", i))
			if took, limit := took(func() { publish(ctx, t, others[i], want[i]) }), 3*starling.Default().PutTimeout; took > limit {
				t.Errorf("a post took %s, want %s at most", took, limit)
			}
		}
		mustShow(ctx, t, others, "sky", want...)
		net.Pass(10 * time.Minute)
		mustShow(ctx, t, others, "sky", want...)
	})
}

package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// What one node publishes every other reads, under author, tag, mention and thread,
// and the receipt tells of every member of every place.
func TestPublish_readEverywhere(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 20, Links: nodetest.LinksConfig{Seed: 1}}, func(ctx context.Context, net *nodetest.Network) {
		author, friend := net.Nodes[3], net.Nodes[11]
		receipt, err := author.Publish(ctx, node.Draft{Text: "hello #Sky", Mentions: []records.User{friend.User()}})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range receipt.Places {
			if p.Stored != p.Wanted || p.Wanted < 4 {
				t.Errorf("%s is stored by %d of %d, want all of at least 4", p.Place, p.Stored, p.Wanted)
			}
		}
		root := receipt.Record.Ref()
		publish(ctx, t, friend, node.Draft{Text: "a reply by another", ReplyTo: &root})
		publish(ctx, t, author, node.Draft{Text: "a sequel", ReplyTo: &root})
		for _, x := range net.Nodes {
			for source, want := range map[node.Source][]string{
				node.TagSource("sky"):          {"hello #Sky"},
				node.UserSource(author.User()): {"a sequel", "hello #Sky"},
				node.UserSource(friend.User()): {"a reply by another"},
			} {
				if got := texts(ctx, t, x, source, 50); !slices.Equal(got, want) {
					t.Errorf("node %d reads %q of %s, want %q", x.Index, got, source, want)
				}
			}
			if got, want := thread(ctx, t, x, root), []string{"hello #Sky", "a sequel", "a reply by another"}; !slices.Equal(got, want) {
				t.Errorf("node %d reads thread %q, want %q", x.Index, got, want)
			}
		}
	})
}

// What a stranger answers is found under the post by everybody, and by the author
// among what mentions them; what the author goes on to say stands under the post as a
// timeline of its own. Both read like any timeline, page by page.
func TestTimeline_repliesAndSequels(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 14, Links: nodetest.LinksConfig{Seed: 9}}, func(ctx context.Context, net *nodetest.Network) {
		author, stranger := net.Nodes[1], net.Nodes[9]
		post := publish(ctx, t, author, node.Draft{Text: "what do you think?"})
		root := post.Ref()
		publish(ctx, t, stranger, node.Draft{Text: "a stranger's word", ReplyTo: &root, Mentions: []records.User{author.User()}})
		var want []string
		for i := range 5 {
			text := fmt.Sprint("and another thing ", i)
			publish(ctx, t, author, node.Draft{Text: text, ReplyTo: &root})
			want = append([]string{text}, want...)
		}
		for _, x := range net.Nodes {
			if got := thread(ctx, t, x, root); len(got) != 7 || !slices.Contains(got, "a stranger's word") {
				t.Errorf("node %d reads the thread %q", x.Index, got)
			}
			if got := texts(ctx, t, x, node.MentionSource(author.User()), 50); !slices.Equal(got, []string{"a stranger's word"}) {
				t.Errorf("node %d reads %q among what mentions the author", x.Index, got)
			}
			if got := texts(ctx, t, x, node.SequelSource(root), 2); !slices.Equal(got, want) {
				t.Errorf("node %d reads the sequels %q, want %q", x.Index, got, want)
			}
		}
	})
}

func thread(ctx context.Context, t *testing.T, x *nodetest.Node, ref records.Ref) (out []string) {
	t.Helper()
	for r, err := range x.Timeline(ctx, node.ThreadSource(ref), node.Range{Limit: 50}) {
		if err != nil {
			t.Fatalf("thread on node %d: %v", x.Index, err)
		}
		_, body, _ := r.Post()
		out = append(out, body.Text)
	}
	return out
}

// An edit replaces the text everywhere, a deletion takes it away for good, and
// neither is another's to make.
func TestEdit_andDelete(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 12, Links: nodetest.LinksConfig{Seed: 2}}, func(ctx context.Context, net *nodetest.Network) {
		author := net.Nodes[0]
		ref := publish(ctx, t, author, node.Draft{Text: "frist #sky"}).Ref()
		if _, err := net.Nodes[1].Edit(ctx, ref, "mine now"); !errors.Is(err, node.ErrNotYours) {
			t.Errorf("a stranger's edit gives %v, want ErrNotYours", err)
		}
		if _, err := author.Edit(ctx, ref, "first #sky"); err != nil {
			t.Fatal(err)
		}
		for _, x := range net.Nodes {
			if got := texts(ctx, t, x, node.TagSource("sky"), 50); !slices.Equal(got, []string{"first #sky"}) {
				t.Errorf("after the edit node %d reads %q", x.Index, got)
			}
		}
		if _, err := author.Delete(ctx, ref); err != nil {
			t.Fatal(err)
		}
		for _, x := range net.Nodes {
			r, err := x.Post(ctx, ref)
			if err != nil || !r.Deleted() {
				t.Errorf("after the deletion node %d finds %v, %v", x.Index, r, err)
			}
			for r, err := range x.Timeline(ctx, node.TagSource("sky"), node.Range{Limit: 50}) {
				if err != nil || !r.Deleted() {
					t.Errorf("after the deletion node %d reads %v, %v", x.Index, r, err)
				}
			}
		}
		if _, err := author.Edit(ctx, ref, "again"); !errors.Is(err, node.ErrDeleted) {
			t.Errorf("an edit of a deleted post gives %v, want ErrDeleted", err)
		}
	})
}

// Many writers fill a hashtag's month several times over at once; nothing is lost
// on the way down, and every page is in order.
func TestPublish_busyTag(t *testing.T) {
	posts := 400
	if smaller() {
		posts = 120 // still twice what a bucket holds
	}
	simulate(t, nodetest.Config{Nodes: 16, Links: nodetest.LinksConfig{Seed: 3}}, func(ctx context.Context, net *nodetest.Network) {
		var g errgroup.Group
		g.SetLimit(32)
		for i := range posts {
			g.Go(func() error {
				_, err := net.Nodes[i%16].Publish(ctx, node.Draft{Text: fmt.Sprintf("post %d #busy", i)})
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, x := range []*nodetest.Node{net.Nodes[0], net.Nodes[7]} {
			got := texts(ctx, t, x, node.TagSource("busy"), 50)
			slices.Sort(got)
			if got = slices.Compact(got); len(got) != posts {
				t.Errorf("node %d reads %d of %d posts", x.Index, len(got), posts)
			}
		}
	})
}

// Those who watch a hashtag, a user or a thread see what was there and hear what
// comes, each post once.
func TestWatch_pastThenLive(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 20, Links: nodetest.LinksConfig{Seed: 4}}, func(ctx context.Context, net *nodetest.Network) {
		author := net.Nodes[5]
		root := publish(ctx, t, author, node.Draft{Text: "old #sky"}).Ref()
		var g errgroup.Group
		for i, source := range []node.Source{node.TagSource("sky"), node.UserSource(author.User()), node.ThreadSource(root)} {
			want := []string{"past: old #sky", "live: new #sky 1", "live: new #sky 2"}
			if i == 2 {
				want = want[1:] // the thread's replies alone
			}
			for _, x := range net.Nodes[6:12] {
				g.Go(func() error { return sees(ctx, x, source, want) })
			}
		}
		net.Pass(10 * time.Second) // the watchers are listening
		for i := range 2 {
			publish(ctx, t, author, node.Draft{Text: fmt.Sprintf("new #sky %d", i+1), ReplyTo: &root})
		}
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// sees watches until it has as many posts as are wanted, in that order.
func sees(ctx context.Context, x *nodetest.Node, s node.Source, want []string) error {
	var got []string
	for e, err := range x.Watch(ctx, []node.Source{s}, len(want)) {
		if err != nil {
			return fmt.Errorf("node %d watches %s: %w", x.Index, s, err)
		}
		when := "past: "
		if e.Live {
			when = "live: "
		}
		_, body, _ := e.Record.Post()
		got = append(got, when+body.Text)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("node %d sees %q of %s, want %q", x.Index, got, s, want)
	}
	return nil
}

// When a network grows, other nodes become responsible for what is watched; those
// who watch find them, and hear as soon as before.
func TestWatch_growingNetwork(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 5, Links: nodetest.LinksConfig{Seed: 9}}, func(ctx context.Context, net *nodetest.Network) {
		author := net.Nodes[0]
		var watchers errgroup.Group
		delays := make([]time.Duration, 5)
		var published time.Time
		for i, x := range net.Nodes {
			watchers.Go(func() error {
				err := hears(ctx, x, node.UserSource(author.User()), 1)
				delays[i] = time.Since(published)
				return err
			})
		}
		newcomers := 25
		if smaller() {
			newcomers = 11
		}
		for range newcomers {
			net.Start()
		}
		net.WaitReady()
		net.Settle()
		net.Pass(20 * time.Second) // longer than a watcher takes to find those who are responsible now
		published = time.Now()
		publish(ctx, t, author, node.Draft{Text: "hello, newcomers"})
		if err := watchers.Wait(); err != nil {
			t.Fatal(err)
		}
		for i, d := range delays {
			if d > 2*time.Second { // in virtual time; the buckets are looked at a minute apart
				t.Errorf("node %d heard it after %s", i, d)
			}
		}
	})
}

// With a member dead, posts are still published and read; the dead one costs the
// first post a wait and the later ones nothing.
func TestPublish_deadMember(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 12, Links: nodetest.LinksConfig{Seed: 5}}, func(ctx context.Context, net *nodetest.Network) {
		for i := range 20 {
			publish(ctx, t, net.Nodes[i%12], node.Draft{Text: fmt.Sprintf("before %d #sky", i)})
		}
		net.Kill(3)
		net.Kill(8)
		for i := range 20 {
			x := net.Running()[i%10]
			publish(ctx, t, x, node.Draft{Text: fmt.Sprintf("after %d #sky", i)})
		}
		for _, x := range net.Running() {
			if got := texts(ctx, t, x, node.TagSource("sky"), 50); len(got) != 40 {
				t.Errorf("node %d reads %d posts, want 40", x.Index, len(got))
			}
		}
	})
}

// A node alone is a network of one.
func TestPublish_alone(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 1, Links: nodetest.LinksConfig{Seed: 6}}, func(ctx context.Context, net *nodetest.Network) {
		receipt, err := net.Nodes[0].Publish(ctx, node.Draft{Text: "anybody here? #sky"})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range receipt.Places {
			if p.Stored != 1 || p.Wanted != 1 {
				t.Errorf("%s is stored by %d of %d, want 1 of 1", p.Place, p.Stored, p.Wanted)
			}
		}
		if err := sees(ctx, net.Nodes[0], node.TagSource("sky"), []string{"past: anybody here? #sky"}); err != nil {
			t.Error(err)
		}
	})
}

// A draft that cannot be a post is refused before anything is sent.
func TestPublish_refusals(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 1, Links: nodetest.LinksConfig{Seed: 7}}, func(ctx context.Context, net *nodetest.Network) {
		x := net.Nodes[0]
		nowhere := records.Ref{Author: x.User(), Created: 1, Key: records.ItemKey{1}}
		for _, c := range []struct {
			name  string
			draft node.Draft
			want  error
		}{
			{"long", node.Draft{Text: string(make([]byte, records.MaxText+1))}, node.ErrTextSize},
			{"bad tag", node.Draft{Text: "x", Tags: []string{"no spaces"}}, records.ErrNotTag},
			{"many tags", node.Draft{Text: "x", Tags: []string{"a", "b", "c", "d", "e", "f", "g", "h"}}, node.ErrManyTags},
			{"reply to nothing", node.Draft{Text: "x", ReplyTo: &nowhere}, node.ErrNotFound},
			{"not UTF-8", node.Draft{Text: "\xff"}, records.ErrMalformed},
		} {
			if _, err := x.Publish(ctx, c.draft); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
		}
		if n := x.Status().Records; n != 0 {
			t.Errorf("%d records were stored, want none", n)
		}
	})
}

// A hundred nodes join, publish, read and watch.
func TestNetwork_hundred(t *testing.T) {
	nodes := 100
	if smaller() {
		nodes = 15
	}
	simulate(t, nodetest.Config{Nodes: nodes, Links: nodetest.LinksConfig{Seed: 8}}, func(ctx context.Context, net *nodetest.Network) {
		var watchers errgroup.Group
		for i := 0; i < nodes; i += 5 {
			watchers.Go(func() error { return hears(ctx, net.Nodes[i], node.TagSource("flock"), nodes) })
			watchers.Go(func() error { return hears(ctx, net.Nodes[i], node.UserSource(net.Nodes[i+1].User()), 1) })
		}
		net.Pass(10 * time.Second) // the watchers are listening
		for i, x := range net.Nodes {
			publish(ctx, t, x, node.Draft{Text: fmt.Sprintf("node %d is here #flock", i)})
		}
		if err := watchers.Wait(); err != nil {
			t.Error(err)
		}
		for i, x := range net.Nodes {
			if i%10 == 0 {
				if got := texts(ctx, t, x, node.TagSource("flock"), 50); len(got) != nodes {
					t.Errorf("node %d reads %d of %d posts of the tag", i, len(got), nodes)
				}
			}
			if got := texts(ctx, t, x, node.UserSource(net.Nodes[(i+7)%nodes].User()), 50); len(got) != 1 {
				t.Errorf("node %d reads %d posts of a user, want 1", i, len(got))
			}
		}
	})
}

// hears watches until want posts came live, each once.
func hears(ctx context.Context, x *nodetest.Node, s node.Source, want int) error {
	seen := map[records.ID]bool{}
	for e, err := range x.Watch(ctx, []node.Source{s}, want) {
		if err != nil {
			return fmt.Errorf("node %d watches %s: %w", x.Index, s, err)
		}
		if e.Missed > 0 || seen[e.Record.ID()] {
			return fmt.Errorf("node %d misses %d posts of %s or sees one twice", x.Index, e.Missed, s)
		}
		seen[e.Record.ID()] = true
	}
	if len(seen) != want {
		return fmt.Errorf("node %d hears %d of %d posts of %s", x.Index, len(seen), want, s)
	}
	return nil
}

package node_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// home reads home whole, by pages of the given size, and checks that it is strictly
// newest first.
func home(ctx context.Context, t *testing.T, x *nodetest.Node, page int) []string {
	t.Helper()
	return paged(t, fmt.Sprintf("home on node %d", x.Index), page, func(rng node.Range) seq { return x.Home(ctx, rng) })
}

func follows(ctx context.Context, t *testing.T, x *nodetest.Node, sources ...node.Source) {
	t.Helper()
	for _, s := range sources {
		if err := x.Follow(ctx, s); err != nil {
			t.Fatalf("node %d follows %s: %v", x.Index, s, err)
		}
	}
}

// Home is empty for who follows nothing, and follows the list as it changes.
func TestHome_followsTheList(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 12, Links: nodetest.LinksConfig{Seed: 21}}, func(ctx context.Context, net *nodetest.Network) {
		x, ann, bob := net.Nodes[0], net.Nodes[5], net.Nodes[7]
		for i := range 3 {
			publish(ctx, t, ann, node.Draft{Text: fmt.Sprintf("ann %d #sky", i)})
			publish(ctx, t, bob, node.Draft{Text: fmt.Sprintf("bob %d", i), Mentions: []records.User{x.User()}})
			net.Pass(time.Second)
		}
		expect := func(want ...string) {
			t.Helper()
			if got := home(ctx, t, x, 2); !slices.Equal(got, want) {
				t.Errorf("home is %q, want %q", got, want)
			}
		}
		expect()
		follows(ctx, t, x, node.TagSource("sky"))
		expect("ann 2 #sky", "ann 1 #sky", "ann 0 #sky")
		follows(ctx, t, x, node.UserSource(ann.User()), node.MentionSource(x.User()))
		expect("bob 2", "ann 2 #sky", "bob 1", "ann 1 #sky", "bob 0", "ann 0 #sky")
		net.Pass(time.Minute)
		expect("bob 2", "ann 2 #sky", "bob 1", "ann 1 #sky", "bob 0", "ann 0 #sky")
		publish(ctx, t, ann, node.Draft{Text: "ann 3"})
		net.Pass(time.Second)
		expect("ann 3", "bob 2", "ann 2 #sky", "bob 1", "ann 1 #sky", "bob 0", "ann 0 #sky")
		for _, s := range []node.Source{node.UserSource(ann.User()), node.TagSource("sky")} {
			if err := x.Unfollow(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		expect("bob 2", "bob 1", "bob 0")
	})
}

// What is followed and kept is read again without a word to anybody, and still
// shows what was published a moment ago, by others or here.
func TestHome_rereadIsFree(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 24, Links: nodetest.LinksConfig{Seed: 22}}, func(ctx context.Context, net *nodetest.Network) {
		x, author := net.Nodes[3], net.Nodes[9]
		for i := range 90 { // more than a month holds
			publish(ctx, t, author, node.Draft{Text: fmt.Sprintf("post %d #sky", i), Mentions: []records.User{x.User()}})
		}
		follows(ctx, t, x, node.TagSource("sky"), node.UserSource(author.User()), node.MentionSource(x.User()))
		net.Pass(time.Minute)
		read := func() ([]string, node.Cost) {
			var trace node.Trace
			got := home(node.WithTrace(ctx, &trace), t, x, 50)
			return got, trace.Cost()
		}
		before, _ := read()
		again, cost := read()
		if len(before) != 90 || !slices.Equal(before, again) || cost.Requests > 0 {
			t.Errorf("read %d posts, then %d at the cost of %+v", len(before), len(again), cost)
		}
		publish(ctx, t, author, node.Draft{Text: "a moment ago #sky"})
		publish(ctx, t, x, node.Draft{Text: "here #sky"})
		net.Pass(200 * time.Millisecond)
		if got, cost := read(); len(got) != 92 || got[0] != "here #sky" || got[1] != "a moment ago #sky" || cost.Requests > 0 {
			t.Errorf("then %d posts from %q at the cost of %+v", len(got), got[:2], cost)
		}
	})
}

// Home is the merge of its timelines, by pages of any size, and posts that arrive
// while it is read neither hide another nor show one twice.
func TestHome_merge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		plan := mergePlan{
			seed:  rapid.Uint64().Draw(rt, "seed"),
			posts: rapid.SliceOfN(rapid.IntRange(0, 1<<12-1), 1, 40).Draw(rt, "posts"),
			later: rapid.SliceOfN(rapid.IntRange(0, 1<<12-1), 0, 12).Draw(rt, "later"),
			page:  rapid.IntRange(1, 20).Draw(rt, "page"),
		}
		var failed string
		synctest.Test(t, func(t *testing.T) { failed = plan.carryOut(t) })
		if failed != "" {
			rt.Fatal(failed)
		}
	})
}

// A mergePlan says who posts what: of each number two bits are the author, three the
// hashtags, one a mention of the reader, and the rest how long ago it was, in hours.
type mergePlan struct {
	seed         uint64
	posts, later []int // before home is read, and one after each page
	page         int
}

func (m mergePlan) carryOut(t *testing.T) string {
	network, err := records.NewNetwork("merge", records.Params{Neighbourhood: 4, Capacity: 4}) // trees grow deep soon
	if err != nil {
		t.Fatal(err)
	}
	net := nodetest.New(t, nodetest.Config{Nodes: 4, Network: network, Links: nodetest.LinksConfig{Seed: m.seed}})
	ctx, x := t.Context(), net.Nodes[0]
	follows(ctx, t, x, node.TagSource("a"), node.TagSource("b"), node.UserSource(author(1).User()), node.MentionSource(x.User()))
	shown := map[records.ItemKey]records.Position{} // what belongs to home
	say := func(i, n int) {
		r, athome := m.post(ctx, t, network, x.User(), i, n)
		if _, err := net.Nodes[n&3].PublishRecord(ctx, r, nil); err != nil {
			t.Fatal(err)
		}
		if athome {
			shown[r.ItemKey()] = records.Position{Created: r.Created(), Key: r.ItemKey()}
		}
	}
	for i, n := range m.posts {
		say(i, n)
	}
	net.Pass(time.Second)
	want, later := maps.Clone(shown), m.later
	var before records.Position
	for more := true; more; {
		more = false
		for r, err := range x.Home(ctx, node.Range{Limit: m.page, Before: before}) {
			pos := records.Position{Created: r.Created(), Key: r.ItemKey()}
			if err != nil || before != (records.Position{}) && pos.Compare(before) >= 0 {
				return fmt.Sprintf("after %v comes %v, %v", before, pos, err)
			}
			if _, belongs := shown[r.ItemKey()]; !belongs {
				return fmt.Sprintf("%v does not belong to home", pos)
			}
			delete(want, r.ItemKey())
			before, more = pos, true
		}
		if len(later) > 0 {
			say(len(m.posts)+len(later), later[0])
			later = later[1:]
		}
	}
	if len(want) > 0 {
		return fmt.Sprintf("%d of %d posts are not shown, among them %v", len(want), len(shown), slices.Collect(maps.Values(want))[0])
	}
	return ""
}

// post is what a number says, and whether it belongs to the reader's home.
func (m mergePlan) post(ctx context.Context, t *testing.T, network records.Network, reader records.User, i, n int) (_ *records.Record, athome bool) {
	t.Helper()
	head := records.PostHead{}
	for bit, tag := range []records.Tag{"a", "b", "c"} {
		if n>>(2+bit)&1 == 1 {
			head.Tags = append(head.Tags, tag)
		}
	}
	if n>>5&1 == 1 {
		head.Mentions = []records.User{reader}
	}
	created := records.MillisOf(time.Now().Add(-time.Duration(n>>6) * time.Hour))
	return sealed(ctx, t, network, n&3, created, i, head), n&3 == 1 || n>>2&3 != 0 || n>>5&1 == 1
}

// author is a person without a node.
func author(i int) records.Key { return records.KeyFromSeed([32]byte{byte(i + 1)}) }

// sealed is a post by an author that says its number.
func sealed(ctx context.Context, t *testing.T, network records.Network, by int, created records.Millis, number int, head records.PostHead) *records.Record {
	t.Helper()
	d, err := records.NewPost(created, [8]byte{byte(number), byte(number >> 8)}, head, records.PostBody{Text: fmt.Sprint(number)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := records.Seal(ctx, network, records.AuthorSigner(author(by)), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Who watches home sees what was there, what arrives by either way, and the newest
// of what comes to the list meanwhile; not what has left it.
func TestWatchHome(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 12, Links: nodetest.LinksConfig{Seed: 23}}, func(ctx context.Context, net *nodetest.Network) {
		x, ann, bob := net.Nodes[1], net.Nodes[5], net.Nodes[7]
		publish(ctx, t, ann, node.Draft{Text: "old #sky"})
		publish(ctx, t, bob, node.Draft{Text: "bob was here"})
		follows(ctx, t, x, node.TagSource("sky"))
		heard := make(chan string, 100)
		watching, stop := context.WithCancel(ctx)
		var watcher sync.WaitGroup
		watcher.Go(func() {
			for e, err := range x.WatchHome(watching, 0) {
				if err != nil {
					heard <- err.Error()
					return
				}
				_, body, _ := e.Record.Post()
				heard <- fmt.Sprintf("%s, live %t", body.Text, e.Live)
			}
		})
		expect := func(want ...string) {
			t.Helper()
			net.Pass(20 * time.Second)
			for _, w := range want {
				select {
				case got := <-heard:
					if got != w {
						t.Errorf("heard %q, want %q", got, w)
					}
				default:
					t.Errorf("heard nothing, want %q", w)
				}
			}
			if len(heard) > 0 {
				t.Errorf("then heard %q", <-heard)
			}
		}
		expect("old #sky, live false")
		publish(ctx, t, ann, node.Draft{Text: "new #sky"})
		expect("new #sky, live true")
		follows(ctx, t, x, node.UserSource(bob.User()), node.MentionSource(x.User()))
		expect("bob was here, live false")
		publish(ctx, t, bob, node.Draft{Text: "bob again"})
		publish(ctx, t, ann, node.Draft{Text: "hello", Mentions: []records.User{x.User()}})
		expect("bob again, live true", "hello, live true")
		if err := x.Unfollow(ctx, node.UserSource(bob.User())); err != nil {
			t.Fatal(err)
		}
		net.Pass(time.Second)
		publish(ctx, t, bob, node.Draft{Text: "bob is off the list"})
		expect()
		stop()
		watcher.Wait()
	})
}

// A node hears many people over few streams, because members grant each peer only
// some, and those it begins to follow beside them.
func TestHome_manyPeople(t *testing.T) {
	people := 60
	if smaller() {
		people = 20 // still more than a member grants streams
	}
	network, err := records.NewNetwork("people", records.Params{Neighbourhood: 4, Capacity: 4})
	if err != nil {
		t.Fatal(err)
	}
	simulate(t, nodetest.Config{Nodes: 6, Network: network, Links: nodetest.LinksConfig{Seed: 24}}, func(ctx context.Context, net *nodetest.Network) {
		x := net.Nodes[0]
		for i := range people {
			follows(ctx, t, x, node.UserSource(author(i).User()))
		}
		net.Pass(30 * time.Second)
		for i := range people {
			r := sealed(ctx, t, network, i, records.MillisOf(time.Now()), i, records.PostHead{})
			if _, err := net.Nodes[1+i%5].PublishRecord(ctx, r, nil); err != nil {
				t.Fatal(err)
			}
		}
		net.Pass(time.Second)
		var trace node.Trace
		if got := home(node.WithTrace(ctx, &trace), t, x, 25); !slices.Equal(got, numbers(0, people)) || trace.Cost().Requests > 0 {
			t.Errorf("home has %d of %d posts at the cost of %+v", len(got), people, trace.Cost())
		}
	})
}

// A slot of time that has begun since costs nothing either: what is not witnessed in a
// copy that is whole is empty.
func TestHome_nextMinuteIsFree(t *testing.T) {
	network := keepNetwork(t)
	simulate(t, nodetest.Config{Nodes: 8, Network: network, Links: nodetest.LinksConfig{Seed: 50}}, func(ctx context.Context, net *nodetest.Network) {
		x, busy := net.Nodes[3], author(1)
		now := time.Now()
		for i := range 60 {
			created := records.MillisOf(now.Add(-time.Duration(60-i) * 5 * time.Second))
			if _, err := net.Nodes[5].PublishRecord(ctx, sealed(ctx, t, network, 1, created, i, records.PostHead{}), nil); err != nil {
				t.Fatal(err)
			}
		}
		follows(ctx, t, x, node.UserSource(busy.User()))
		net.Pass(30 * time.Second)
		home(ctx, t, x, 50)
		for range 3 {
			net.Pass(time.Minute)
			var trace node.Trace
			if got := home(node.WithTrace(ctx, &trace), t, x, 50); len(got) != 60 || trace.Cost().Requests > 0 {
				t.Errorf("home has %d posts at the cost of %+v", len(got), trace.Cost())
			}
		}
	})
}

package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// What is followed is on the list once, in the order in which it came to it, until
// it is unfollowed; a thread is refused.
func TestFollow(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 1, Links: nodetest.LinksConfig{Seed: 11}}, func(ctx context.Context, net *nodetest.Network) {
		x := net.Nodes[0]
		tag, user, mentions := node.TagSource("sky"), node.UserSource(x.User()), node.MentionSource(x.User())
		for _, s := range []node.Source{tag, user, mentions, tag} {
			if err := x.Follow(ctx, s); err != nil {
				t.Fatalf("follow %s: %v", s, err)
			}
			net.Pass(time.Second)
		}
		if got := sourcesOf(x); !slices.Equal(got, []node.Source{tag, user, mentions}) {
			t.Errorf("following %v", got)
		}
		if err := x.Follow(ctx, node.ThreadSource(records.Ref{})); !errors.Is(err, node.ErrThread) {
			t.Errorf("follow a thread: %v, want ErrThread", err)
		}
		for range 2 {
			if err := x.Unfollow(ctx, user); err != nil {
				t.Fatal(err)
			}
		}
		if got := sourcesOf(x); !slices.Equal(got, []node.Source{tag, mentions}) {
			t.Errorf("then following %v", got)
		}
	})
}

func sourcesOf(x *nodetest.Node) (out []node.Source) {
	for _, f := range x.Following() {
		out = append(out, f.Source)
	}
	return out
}

// A node follows so many sources and no more.
func TestFollow_most(t *testing.T) {
	x := idle(t, testConfig(t))
	for i := range node.MaxFollowed {
		if err := x.Follow(t.Context(), node.TagSource(records.Tag(fmt.Sprintf("tag%d", i)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Follow(t.Context(), node.TagSource("onemore")); !errors.Is(err, node.ErrManyFollowed) {
		t.Errorf("one more: %v, want ErrManyFollowed", err)
	}
	if err := x.Follow(t.Context(), node.TagSource("tag7")); err != nil {
		t.Errorf("one that is followed: %v", err)
	}
}

// idle is a node that is not run, with its store in memory unless it has one.
func idle(t *testing.T, c node.Config) *node.Node {
	t.Helper()
	c.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	if c.Store == nil {
		c.Store = datastore.OpenMemory(c.Network)
	}
	x, err := node.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// The list outlives the node, also when that ends without notice.
func TestFollow_restart(t *testing.T) {
	c := testConfig(t)
	c.Listen = c.Listen[:1]
	want := []node.Source{node.TagSource("ünï"), node.UserSource(c.Person.User()), node.MentionSource(c.Person.User())}
	var since []node.Followed
	for run := range 3 {
		x, err := node.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			for _, s := range append([]node.Source{node.TagSource("gone")}, want...) {
				if err := x.Follow(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if err := x.Unfollow(t.Context(), node.TagSource("gone")); err != nil {
				t.Fatal(err)
			}
			since = x.Following()
		}
		got := x.Following()
		if len(got) != len(want) {
			t.Fatalf("run %d follows %v", run, got)
		}
		for i, f := range got {
			if f.Source != want[i] || !f.Since.Equal(since[i].Since) {
				t.Errorf("run %d follows %v since %s, want %s since %s", run, f.Source, f.Since, want[i], since[i].Since)
			}
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A list that cannot be read is put aside; the node starts and follows nothing.
func TestFollow_damagedList(t *testing.T) {
	for name, list := range map[string]string{
		"no JSON":         "{",
		"another shape":   `{"source":"#sky"}`,
		"not a source":    `[{"source":"sky","since":1}]`,
		"the same twice":  `[{"source":"#sky","since":1},{"source":"#Sky","since":2}]`,
		"a thread":        `[{"source":"` + records.Ref{}.String() + `","since":1}]`,
		"more than a MiB": `[{"source":"#sky","since":1}]` + string(make([]byte, 1<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			c := testConfig(t)
			c.Store = datastore.OpenMemory(c.Network)
			key := ds.NewKey("/node/following")
			if err := c.Store.Datastore().Put(t.Context(), key, []byte(list)); err != nil {
				t.Fatal(err)
			}
			x := idle(t, c)
			if got := x.Following(); len(got) > 0 {
				t.Errorf("following %v", got)
			}
			aside, err := c.Store.Datastore().Get(t.Context(), key.ChildString("damaged"))
			if err != nil || string(aside) != list {
				t.Errorf("put aside %.40q, %v", aside, err)
			}
			if err := x.Follow(t.Context(), node.TagSource("sea")); err != nil {
				t.Error(err)
			}
		})
	}
}

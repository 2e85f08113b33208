package node_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

func once(ctx context.Context, t *testing.T, x *nodetest.Node, key, text string, repeated bool) records.Ref {
	t.Helper()
	r, known, err := x.PublishOnce(ctx, key, node.Draft{Text: text})
	if err != nil || known != repeated {
		t.Fatalf("publish %q under %s: known %t, %v", text, key, known, err)
	}
	return r.Record.Ref()
}

// A key stands for one post: whoever repeats it, at once or later or after the node
// was started anew, gets that one, and no other draft does.
func TestPublishOnce(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 5, Links: nodetest.LinksConfig{Seed: 31}}, func(ctx context.Context, net *nodetest.Network) {
		x := net.Nodes[0]
		first := once(ctx, t, x, "a", "one #sky", false)
		net.Pass(time.Second)
		if again := once(ctx, t, x, "a", "one #sky", true); again != first {
			t.Errorf("repeated: %s, want %s", again, first)
		}
		if _, _, err := x.PublishOnce(ctx, "a", node.Draft{Text: "two #sky"}); !errors.Is(err, node.ErrKeyReused) {
			t.Errorf("another draft: %v", err)
		}
		var all sync.WaitGroup
		refs := make([]records.Ref, 4)
		for i := range refs {
			all.Go(func() {
				if r, _, err := x.PublishOnce(ctx, "b", node.Draft{Text: "two #sky"}); err == nil {
					refs[i] = r.Record.Ref()
				}
			})
		}
		all.Wait()
		if refs[0] == (records.Ref{}) || len(slices.Compact(refs)) != 1 {
			t.Errorf("at once: %v", refs)
		}
		net.Stop(0)
		x = net.Restart(0)
		net.WaitReady()
		if again := once(ctx, t, x, "a", "one #sky", true); again != first {
			t.Errorf("after a restart: %s, want %s", again, first)
		}
		if got := texts(ctx, t, net.Nodes[3], node.TagSource("sky"), 10); !slices.Equal(got, []string{"two #sky", "one #sky"}) {
			t.Errorf("the timeline is %q", got)
		}
	})
}

// A post that too few members show is tried again under its key, and is the same.
func TestPublishOnce_again(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 5, Links: nodetest.LinksConfig{Seed: 32}}, func(ctx context.Context, net *nodetest.Network) {
		x := net.Nodes[0]
		for _, other := range net.Nodes[1:] {
			other.Lie(nodetest.Empty())
		}
		r, _, err := x.PublishOnce(ctx, "a", node.Draft{Text: "one #sky"})
		if !errors.Is(err, node.ErrNoQuorum) {
			t.Fatalf("nobody shows it: %v", err)
		}
		for _, other := range net.Nodes[1:] {
			other.Lie(nil)
		}
		if again := once(ctx, t, x, "a", "one #sky", true); again != r.Record.Ref() {
			t.Errorf("again: %s, want %s", again, r.Record.Ref())
		}
		if got := texts(ctx, t, net.Nodes[3], node.TagSource("sky"), 10); !slices.Equal(got, []string{"one #sky"}) {
			t.Errorf("the timeline is %q", got)
		}
	})
}

// The oldest keys give way, on disk too.
func TestPromises_bounded(t *testing.T) {
	p, now := node.NewPromises(t), time.UnixMilli(0)
	for i := range node.MaxOnce + 10 {
		now = now.Add(time.Millisecond)
		if p.Of(t, i, now) {
			t.Fatalf("key %d is known at first", i)
		}
	}
	for name, p := range map[string]node.Promises{"at hand": p, "on disk": p.Reopened(t)} {
		if p.Len() != node.MaxOnce {
			t.Errorf("%s are %d keys", name, p.Len())
		}
		if p.Of(t, 9, now) {
			t.Errorf("%s is the tenth key", name)
		}
	}
	if !p.Of(t, node.MaxOnce+9, now) {
		t.Error("the last key is forgotten")
	}
	if p.Of(t, node.MaxOnce+9, now.Add(node.OnceTime+time.Second)) || p.Len() != 1 {
		t.Errorf("after %s there are %d keys", node.OnceTime, p.Len())
	}
}

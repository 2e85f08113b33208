package nodetest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// crowd runs a scenario on a network of whole nodes that has come to rest.
func crowd(t *testing.T, c nodetest.Config, scenario func(ctx context.Context, net *nodetest.Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Logf("seed %d", c.Links.Seed)
		net := nodetest.New(t, c)
		net.Settle()
		scenario(t.Context(), net)
	})
}

// healing compares neighbours more often than usual.
func healing(every time.Duration) func(int, *starling.Config) {
	return func(_ int, c *starling.Config) { c.HealInterval = every }
}

func publish(ctx context.Context, t *testing.T, x *nodetest.Node, text string) *records.Record {
	t.Helper()
	receipt, err := x.Publish(ctx, starling.Draft{Text: text})
	if err != nil {
		t.Fatalf("publish %q on node %d: %v", text, x.Index, err)
	}
	return receipt.Record
}

// shown are the texts of a hashtag as a node reads it, sorted, and whether it says that
// some may be missing.
func shown(ctx context.Context, t *testing.T, x *nodetest.Node, tag records.Tag) (texts []string, gap bool) {
	t.Helper()
	for r, err := range x.Timeline(ctx, starling.TagSource(tag), starling.Range{Limit: starling.MaxTimeline}) {
		var missing *starling.GapError
		switch {
		case errors.As(err, &missing):
			gap = true
		case err != nil:
			t.Fatalf("timeline of #%s on node %d: %v", tag, x.Index, err)
		case !r.Deleted():
			_, body, _ := r.Post()
			texts = append(texts, body.Text)
		}
	}
	slices.Sort(texts)
	return texts, gap
}

// mustShow checks what every one of some nodes reads of a hashtag.
func mustShow(ctx context.Context, t *testing.T, nodes []*nodetest.Node, tag records.Tag, want ...string) {
	t.Helper()
	slices.Sort(want)
	for _, x := range nodes {
		if got, _ := shown(ctx, t, x, tag); !slices.Equal(got, want) {
			t.Errorf("node %d reads %q of #%s, want %q", x.Index, got, tag, want)
		}
	}
}

// without are all running nodes but some.
func without(net *nodetest.Network, some ...*nodetest.Node) []*nodetest.Node {
	return slices.DeleteFunc(net.Running(), func(x *nodetest.Node) bool { return slices.Contains(some, x) })
}

// mustHold checks that every place is whole on every running node, and holds nothing
// else.
func mustHold(t *testing.T, net *nodetest.Network, rs []*records.Record) {
	t.Helper()
	differences := net.Audit(rs)
	for _, d := range differences[:min(len(differences), 5)] {
		t.Error(d)
	}
	if n := len(differences); n > 5 {
		t.Errorf("%d places differ", n)
	}
}

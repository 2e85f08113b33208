package node_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// simulate runs a scenario on a settled network in virtual time. What a scenario
// may take is bounded by ctx, in virtual time too.
func simulate(t *testing.T, c nodetest.Config, scenario func(ctx context.Context, net *nodetest.Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Logf("seed %d", c.Links.Seed)
		net := nodetest.New(t, c)
		net.Settle()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		scenario(ctx, net)
	})
}

// smaller tells whether simulated networks should be: under the race detector one
// takes ten times as long.
func smaller() bool { return testing.Short() || raceEnabled }

func publish(ctx context.Context, t *testing.T, x *nodetest.Node, d node.Draft) *records.Record {
	t.Helper()
	receipt, err := x.Publish(ctx, d)
	if err != nil {
		t.Fatalf("publish %.40q on node %d: %v", d.Text, x.Index, err)
	}
	return receipt.Record
}

// texts reads a timeline whole, by pages of the given size, and checks that it is
// strictly newest first.
func texts(ctx context.Context, t *testing.T, x *nodetest.Node, s node.Source, page int) []string {
	t.Helper()
	name := fmt.Sprintf("timeline of %s on node %d", s, x.Index)
	return paged(t, name, page, func(rng node.Range) seq { return x.Timeline(ctx, s, rng) })
}

type seq = iter.Seq2[*records.Record, error]

func paged(t *testing.T, name string, page int, read func(node.Range) seq) (out []string) {
	t.Helper()
	var before, last records.Position
	for {
		n := 0
		for r, err := range read(node.Range{Limit: page, Before: before}) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			pos := records.Position{Created: r.Created(), Key: r.ItemKey()}
			if last != (records.Position{}) && pos.Compare(last) >= 0 {
				t.Fatalf("%s is not newest first", name)
			}
			last = pos
			_, body, _ := r.Post()
			out = append(out, body.Text)
			n++
		}
		before = last
		if n < page {
			return out
		}
	}
}

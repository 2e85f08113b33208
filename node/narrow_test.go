package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// A node that joins with room for a part of its share alone holds half of it, and says
// so. Nobody misses anything: all read all posts, also on that node, and what is
// published is stored as ever. With more room it holds everything, an hour later.
func TestNarrow_smallNode(t *testing.T) {
	const k, nodes, posts = 4, 5, 140
	network := shallow(t, k, 8)
	var log logged
	quota := int64(0) // of the last node
	simulate(t, nodetest.Config{
		Nodes: nodes, Network: network, Links: nodetest.LinksConfig{Seed: 57}, Keys: 57, // whose halves are about as large
		Tune: func(i int, c *node.Config) {
			c.HealInterval = 2 * time.Minute
			if i == nodes {
				c.Log = slog.New(slog.NewTextHandler(&log, nil))
			}
		},
		Quota: func(i int) int64 {
			if i < nodes {
				return 0
			}
			return quota
		},
	}, func(ctx context.Context, net *nodetest.Network) {
		ctx = context.WithoutCancel(ctx) // this takes longer than others
		rs := library(t, network, posts)
		net.Plant(ctx, rs)
		all := net.Nodes[0].Status().StoreBytes
		quota = all * 3 / 4
		x := net.Start()
		net.WaitReady()
		eventually(t, net, 30*time.Minute, "the small node holds its half", func() bool {
			s := x.Status()
			return s.Narrowed == 1 && s.Prefix == 1 && !s.Healing.Filling && s.StoreBytes < quota*95/100 && x.Strays() == 0
		})
		if s := x.Status(); s.ShortOf != "store.quota" || !x.Health().Ready {
			t.Errorf("it is short of %q, and its health is %+v", s.ShortOf, x.Health())
		}
		if text := log.String(); strings.Count(text, "holds less than its share") != 1 || !strings.Contains(text, "setting=store.quota") {
			t.Errorf("its log says\n%s", text)
		}
		mustHold(t, net, rs)
		plan := net.Plan(rs)
		if least := plan.Copies(net.Nodes); least < nodes {
			t.Errorf("a record is held by %d nodes, want %d or more", least, nodes)
		}
		for i, author := range []*nodetest.Node{x, net.Nodes[1], net.Nodes[2]} {
			rs = append(rs, publish(ctx, t, author, node.Draft{Text: fmt.Sprintf("news %d #tag0", i)}))
		}
		mustRead(ctx, t, net, posts)
		x.Quota = 4 * all
		net.Stop(x.Index)
		net.Restart(x.Index)
		net.WaitReady()
		net.Pass(2 * time.Minute)
		if n := x.Status().Narrowed; n != 1 {
			t.Errorf("after a restart its prefix is longer by %d bits", n)
		}
		x.Clock.Set(time.Hour)
		eventually(t, net, 10*time.Minute, "it holds everything", func() bool {
			s := x.Status()
			return s.Narrowed == 0 && s.Prefix == 0 && !s.Healing.Filling
		})
		x.Clock.Set(0)
		net.Pass(2 * time.Minute)
		mustHold(t, net, rs)
		mustRead(ctx, t, net, posts)
	})
}

// mustRead checks that every node shows every post of a library, and three more.
func mustRead(ctx context.Context, t *testing.T, net *nodetest.Network, posts int) {
	t.Helper()
	for _, x := range net.Running() {
		var shown []string
		for i := range 7 {
			shown = append(shown, texts(ctx, t, x, node.TagSource(records.Tag(fmt.Sprintf("tag%d", i))), 50)...)
		}
		slices.Sort(shown)
		if shown = slices.Compact(shown); len(shown) != posts+3 {
			t.Errorf("node %d reads %d of %d posts", x.Index, len(shown), posts+3)
		}
	}
}

// eventually waits in virtual time for something to be so.
func eventually(t *testing.T, net *nodetest.Network, within time.Duration, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); net.Pass(10 * time.Second) {
		if time.Since(began) > within {
			t.Fatalf("not after %s: %s", within, what)
		}
	}
}

// logged is what a logger wrote.
type logged struct {
	mu   sync.Mutex // protects text
	text strings.Builder
}

func (s *logged) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *logged) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

package node_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
)

// A watcher is cut off while more is posted than a page holds. When it is back it hears
// all of that, each post once, and nothing from before it began to watch.
func TestWatch_cutOff(t *testing.T) {
	const watcher, before, during = 7, 60, 130
	c := nodetest.Config{
		Nodes: 8, Links: nodetest.LinksConfig{Seed: 11},
		Tune: func(i int, c *node.Config) { c.Client = i == watcher },
	}
	simulate(t, c, func(ctx context.Context, net *nodetest.Network) {
		say := func(i int) {
			publish(ctx, t, net.Nodes[i%watcher], node.Draft{Text: fmt.Sprint(i), Tags: []string{"sky"}})
		}
		for i := range before {
			say(i)
		}
		watching, end := context.WithCancel(ctx)
		ended := make(chan struct{})
		var live []string
		go func() {
			defer close(ended)
			for e, err := range net.Nodes[watcher].Watch(watching, []node.Source{node.TagSource("sky")}, 0) {
				if err == nil && e.Record != nil && e.Live {
					_, body, _ := e.Record.Post()
					live = append(live, body.Text)
				}
			}
		}()
		net.Pass(20 * time.Second)
		net.Links.Partition([]int{watcher})
		for i := range during {
			say(before + i)
			net.Pass(time.Second) // connections do not last that long
		}
		net.Links.Heal()
		net.Pass(3 * time.Minute)
		end()
		<-ended
		slices.SortFunc(live, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
		var want []string
		for i := range during {
			want = append(want, fmt.Sprint(before+i))
		}
		if !slices.Equal(live, want) {
			t.Errorf("heard %d posts, want %d: %q", len(live), during, live)
		}
	})
}

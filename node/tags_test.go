package node_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// Hashtags are found by what a node follows, saw and keeps, the more used before the
// less, whatever case a prefix is in; also after it was started anew.
func TestTags(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 4, Links: nodetest.LinksConfig{Seed: 33}}, func(ctx context.Context, net *nodetest.Network) {
		x := net.Nodes[0]
		follows(ctx, t, x, node.TagSource("skiing"))
		for _, text := range []string{"#sky #sea", "#sky again", "#skyline"} {
			publish(ctx, t, net.Nodes[1], node.Draft{Text: text})
		}
		gone := publish(ctx, t, net.Nodes[1], node.Draft{Text: "#skip"})
		if _, err := net.Nodes[1].Delete(ctx, gone.Ref()); err != nil {
			t.Fatal(err)
		}
		net.Pass(time.Minute)
		expect := func(prefix string, want ...records.Tag) {
			t.Helper()
			got, err := x.Tags(prefix)
			if err != nil || !slices.Equal(got[:min(len(want), len(got))], want) || len(got) < len(want) {
				t.Errorf("tags with %q: %v, %v, want %v", prefix, got, err, want)
			}
		}
		expect("sk", "skiing", "sky", "skyline")
		expect("#SKY", "sky", "skyline")
		expect("", "skiing", "sky")
		if got, err := x.Tags("no such"); err != nil || len(got) != 0 {
			t.Errorf("no such: %v, %v", got, err)
		}
		net.Stop(0)
		x = net.Restart(0)
		expect("sk", "skiing", "sky", "skyline")
	})
}

package node_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
)

// The four flows are told as spans, requests to other nodes within them, with counts
// and without a word of what was written, by whom and to whom.
func TestSpans_ofFourFlows(t *testing.T) {
	told := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(told))
	const tag = "unmistakable"
	var secrets []string
	simulate(t, nodetest.Config{
		Nodes: 3, Tune: func(_ int, c *node.Config) { c.Traces = provider },
	}, func(ctx context.Context, net *nodetest.Network) {
		x := net.Nodes[0]
		publish(ctx, t, x, node.Draft{Text: "hello #" + tag})
		texts(ctx, t, net.Nodes[1], node.TagSource(tag), 5)
		for _, err := range net.Nodes[2].Watch(ctx, []node.Source{node.TagSource(tag)}, 1) {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range net.Nodes {
			secrets = append(secrets, n.PeerID().String(), n.User().String())
		}
	})
	seen := map[string]int{}
	within := map[string]bool{}
	spans := told.GetSpans()
	names := map[string]string{}
	for _, s := range spans {
		names[s.SpanContext.SpanID().String()] = s.Name
	}
	for _, s := range spans {
		seen[s.Name]++
		within[names[s.Parent.SpanID().String()]+" > "+s.Name] = true
		for _, secret := range append(secrets, tag) {
			if strings.Contains(fmt.Sprint(s.Name, s.Attributes, s.Status, s.Events), secret) {
				t.Errorf("%s tells %s: %v", s.Name, secret, s.Attributes)
			}
		}
		for _, a := range s.Attributes {
			if a.Value.Type() != attribute.INT64 {
				t.Errorf("%s has %s, which is no count", s.Name, a.Key)
			}
		}
		if s.Name == "publish" {
			for key, want := range map[attribute.Key]int64{"starling.places": 2, "starling.members": 6, "starling.stored": 6} {
				if got := valueOf(s, key); got != want {
					t.Errorf("publish has %s %d, want %d", key, got, want)
				}
			}
		}
		if s.Name == "watch" && valueOf(s, "starling.past") != 1 {
			t.Errorf("watch tells %v", s.Attributes)
		}
	}
	for _, flow := range []string{"publish", "page", "watch", "compare"} {
		if seen[flow] == 0 {
			t.Errorf("no span of %s among %v", flow, seen)
		}
	}
	for _, step := range []string{"publish > put", "page > fetch", "watch > page"} {
		if !within[step] {
			t.Errorf("no %s among %v", step, within)
		}
	}
}

func valueOf(s tracetest.SpanStub, key attribute.Key) int64 {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.AsInt64()
		}
	}
	return -1
}

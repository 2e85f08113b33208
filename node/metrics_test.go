package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/starling-social/starling/node"
)

// Two nodes of one process count apart, each into its own registry: what one sends,
// the other serves. Nothing that a person chose is in a label, and what a node counted
// goes with it.
func TestMetrics_ofTwoNodes(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := testConfig(t)
	c.Metrics = prometheus.NewRegistry()
	ended := make(chan error, 1)
	first, err := node.New(c)
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- first.Run(ctx) }()
	await(ctx, t, first.Ready())

	d := testConfig(t)
	d.Network, d.Bootstrap, d.Metrics = c.Network, first.Addrs()[:1], prometheus.NewRegistry()
	second := run(t, d)
	await(ctx, t, second.Ready())

	const tag = "unmistakable"
	if _, err := second.Publish(ctx, node.Draft{Text: "hello #" + tag}); err != nil {
		t.Fatal(err)
	}
	for _, err := range second.Timeline(ctx, node.TagSource(tag), node.Range{Limit: 5}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range second.Watch(ctx, []node.Source{node.TagSource(tag)}, 1) {
		if err != nil {
			t.Fatal(err)
		}
	}
	here, there := gather(t, c.Metrics), gather(t, d.Metrics)
	for name, want := range map[string]float64{
		"starling_ready": 1, "starling_peers": 1, "starling_store_writable": 1,
		"starling_publish_seconds{stored}":               1,
		"starling_publish_seconds{no_quorum}":            0,
		"starling_publish_members_total{stored}":         4, // two places, two members
		"starling_watch_events_total{past}":              1,
		"starling_watches":                               0,
		"starling_exchange_sent_entries_total{stored}":   2,
		"starling_exchange_served_entries_total{stored}": 0,
	} {
		if got := there[name]; got != want {
			t.Errorf("who published has %s %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string]float64{
		"starling_publish_seconds{stored}": 0, "starling_exchange_served_entries_total{stored}": 2,
		"starling_store_records{held}": 1, "starling_store_records{own}": 0,
	} {
		if got := here[name]; got != want {
			t.Errorf("who holds has %s %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"starling_timeline_page_seconds", "starling_store_merge_seconds", "starling_gossip_announced_total", "starling_disk_free_bytes", "starling_store_bytes{own}"} {
		if there[name] == 0 {
			t.Errorf("%s is 0 after all that", name)
		}
	}
	secrets := []string{tag, first.PeerID().String(), second.PeerID().String(), second.User().String()}
	for series := range there {
		for _, s := range secrets {
			if strings.Contains(series, s) {
				t.Errorf("%s names %s", series, s)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for series := range gather(t, c.Metrics) {
		if strings.HasPrefix(series, "starling_") {
			t.Fatalf("a node that has ended still counts %s", series)
		}
	}
}

// A second node cannot count into the registry of the first, and says so.
func TestMetrics_oneRegistryForTwo(t *testing.T) {
	c, d := testConfig(t), testConfig(t)
	c.Metrics = prometheus.NewRegistry()
	d.Metrics = c.Metrics
	run(t, c)
	if _, err := node.New(d); !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		t.Errorf("a second node in the registry: %v", err)
	}
}

// What a node exposes is named as Prometheus would have it.
func TestMetrics_wellNamed(t *testing.T) {
	c := testConfig(t)
	r := prometheus.NewRegistry()
	c.Metrics = r
	run(t, c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	ours := families[:0]
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "starling_") {
			ours = append(ours, f)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(ours).Lint()
	if err != nil || len(ours) < 60 {
		t.Fatalf("%d metrics, %v", len(ours), err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// gather is every value by its name and the values of its labels; of a histogram how
// often it was observed.
func gather(t *testing.T, r prometheus.Registerer) map[string]float64 {
	t.Helper()
	families, err := r.(prometheus.Gatherer).Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			if labels := m.GetLabel(); len(labels) > 0 {
				var values []string
				for _, l := range labels {
					values = append(values, l.GetValue())
				}
				name += "{" + strings.Join(values, ",") + "}"
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}

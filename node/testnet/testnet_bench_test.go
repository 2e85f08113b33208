package testnet_test

import (
	"testing"

	"github.com/starling-social/starling/node/testnet"
)

// BenchmarkRun is a whole run, to be profiled: twenty nodes, whose neighbourhoods
// of four spread what they keep.
func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		r, err := testnet.Run(b.Context(), testnet.Config{Nodes: 20, Neighbourhood: 4, Limit: 1000})
		if err != nil {
			b.Fatal(err)
		}
		if !r.Complete() {
			b.Errorf("result %+v", r)
		}
		b.ReportMetric(r.PostsPerS, "posts/s")
		b.ReportMetric(r.PublishP50, "publish-p50-ms")
		b.ReportMetric(r.TimelineP50, "timeline-p50-ms")
		b.ReportMetric(r.LiveP50, "live-p50-ms")
	}
}

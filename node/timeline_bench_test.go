package node_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/starling-social/starling/node"
)

// A page of 50 posts out of 500, read from the node's own disk: what each reader of a
// node that holds a place itself costs it, HTTP aside.
func BenchmarkTimeline_50of500(b *testing.B) {
	n, stop, err := begin(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = stop() }()
	for i := range 500 {
		if _, err := n.Publish(b.Context(), node.Draft{Text: fmt.Sprintf("#bench %d %s", i, strings.Repeat("lorem ipsum ", 20))}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		got := 0
		for _, err := range n.Timeline(b.Context(), node.TagSource("bench"), node.Range{Limit: 50}) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		if got != 50 {
			b.Fatalf("read %d posts", got)
		}
	}
}

package node_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
)

// Every transport carries put, fetch and gossip, between real hosts on loopback:
// one that listens on that transport alone and holds everything, and one that
// holds nothing, so that all it writes, reads and hears crosses the wire.
func TestTransports_carryEverything(t *testing.T) {
	for transport, listen := range map[string]string{
		"tcp":           "/ip4/127.0.0.1/tcp/0",
		"ws":            "/ip4/127.0.0.1/tcp/0/ws",
		"quic-v1":       "/ip4/127.0.0.1/udp/0/quic-v1",
		"webtransport":  "/ip4/127.0.0.1/udp/0/quic-v1/webtransport",
		"webrtc-direct": "/ip4/127.0.0.1/udp/0/webrtc-direct",
	} {
		t.Run(transport, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			holderConfig := testConfig(t)
			holderConfig.Listen = []string{listen}
			holder := run(t, holderConfig)
			readerConfig := testConfig(t)
			readerConfig.Listen, readerConfig.Client = nil, true
			readerConfig.Bootstrap = holder.Addrs()
			reader := run(t, readerConfig)
			await(ctx, t, holder.Ready())
			await(ctx, t, reader.Ready())

			holderHears, readerHears := sights(ctx, holder), sights(ctx, reader)
			receipt, err := reader.Publish(ctx, node.Draft{Text: "over " + transport + " #wire"})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range receipt.Places {
				if p.Stored != 1 || p.Wanted != 1 {
					t.Errorf("%s: %d of %d, want 1 of 1", p.Place, p.Stored, p.Wanted)
				}
			}
			var got []string
			for r, err := range reader.Timeline(ctx, node.TagSource("wire"), node.Range{Limit: 10}) {
				if err != nil {
					t.Fatal(err)
				}
				_, body, _ := r.Post()
				got = append(got, body.Text)
			}
			if want := []string{"over " + transport + " #wire"}; !slices.Equal(got, want) {
				t.Errorf("read %q, want %q", got, want)
			}
			for name, hears := range map[string]<-chan string{"holder": holderHears, "reader": readerHears} {
				if got, want := <-hears, "over "+transport+" #wire"; got != want {
					t.Errorf("%s first hears %q, want %q", name, got, want)
				}
			}
			// Both are listening by now, so what comes next came by gossip.
			if _, err := holder.Publish(ctx, node.Draft{Text: "to #wire"}); err != nil {
				t.Error(err)
			}
			if got := <-readerHears; got != "live: to #wire" {
				t.Errorf("reader hears %q", got)
			}
			if got := <-holderHears; got != "live: to #wire" {
				t.Errorf("holder hears %q", got)
			}
			if _, err := reader.Publish(ctx, node.Draft{Text: "fro #wire"}); err != nil {
				t.Error(err)
			}
			if got := <-holderHears; got != "live: fro #wire" {
				t.Errorf("holder hears %q", got)
			}
			for _, x := range []*node.Node{holder, reader} {
				if x.Status().Heard == 0 {
					t.Error("nothing was heard by gossip")
				}
				for _, p := range x.Peers() {
					if p.Transport != transport {
						t.Errorf("connected over %s", p.Transport)
					}
				}
				if len(x.Peers()) != 1 {
					t.Errorf("%d peers, want 1", len(x.Peers()))
				}
			}
		})
	}
}

// sights is what a watcher of #wire sees, the first post however it came.
func sights(ctx context.Context, x *node.Node) <-chan string {
	out := make(chan string, 16)
	go func() {
		defer close(out)
		first := true
		for e, err := range x.Watch(ctx, []node.Source{node.TagSource("wire")}, 0) {
			switch {
			case err != nil:
				out <- err.Error()
			case e.Record == nil:
				out <- fmt.Sprintf("missed %d", e.Missed)
			default:
				_, body, _ := e.Record.Post()
				when := "live: "
				if first || !e.Live {
					when, first = "", false
				}
				out <- when + body.Text
			}
		}
	}()
	return out
}

// run runs a node until the test ends.
func run(t *testing.T, c node.Config) *node.Node {
	t.Helper()
	n, err := node.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("node ended: %v", err)
		}
	})
	return n
}

func await(ctx context.Context, t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-ctx.Done():
		t.Fatal("node is not ready")
	}
}

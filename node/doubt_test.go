package node_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// A doing is one thing that happens in a network.
type doing struct {
	What    string
	Node    int // who does it, or to whom it is done
	Post    int // which of those published before
	Age     int // hours by which a post is backdated
	Minutes int
}

var doings = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) doing {
	return doing{
		What:    rapid.SampledFrom([]string{"post", "post", "post", "edit", "delete", "pass", "cut", "kill", "read"}).Draw(t, "what"),
		Node:    rapid.IntRange(1, keepNodes-1).Draw(t, "node"),
		Post:    rapid.IntRange(0, 1<<10).Draw(t, "post"),
		Age:     rapid.SampledFrom([]int{0, 0, 1, 30, 800, 9000}).Draw(t, "age"),
		Minutes: rapid.IntRange(1, 7).Draw(t, "minutes"),
	}
}), 12, 20)

// Whatever happens, once it has been quiet for some seconds home shows all that was
// published, in its newest version, although most of it is read from copies.
func TestKeep_hidesNothing(t *testing.T) {
	runs := 4
	if smaller() {
		runs = 2
	}
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			network := keepNetwork(t)
			plan := doings.Example(seed)
			simulate(t, nodetest.Config{Nodes: keepNodes, Network: network, Links: nodetest.LinksConfig{Seed: uint64(seed)}}, func(ctx context.Context, net *nodetest.Network) {
				w := &world{t: t, net: net, network: network, texts: map[records.ItemKey]string{}}
				follows(ctx, t, net.Nodes[0], node.TagSource("sky"), node.UserSource(author(1).User()), node.MentionSource(net.Nodes[0].User()))
				net.Pass(10 * time.Second)
				for _, d := range plan {
					w.do(ctx, d)
					net.Pass(2 * time.Second)
					w.look(ctx, d)
				}
				if w.free == 0 {
					t.Error("nothing was ever read from copies alone")
				}
			})
		})
	}
}

// world is a network and what was said in it.
type world struct {
	t       *testing.T
	net     *nodetest.Network
	network records.Network
	posts   []*records.Record // newest versions
	texts   map[records.ItemKey]string
	killed  int
	free    int // reads that asked nobody
}

func (w *world) do(ctx context.Context, d doing) {
	w.t.Helper()
	switch d.What {
	case "post":
		w.post(ctx, d)
	case "edit", "delete":
		if len(w.posts) > 0 {
			w.change(ctx, d)
		}
	case "pass":
		w.net.Pass(time.Duration(d.Minutes) * time.Minute)
	case "cut":
		w.cut(ctx, d)
	case "kill":
		if running := w.net.Running(); w.killed < 2 && d.Node < len(running) {
			w.killed++
			w.net.Kill(running[d.Node].Index)
		}
	}
}

// by is a running node other than the reader.
func (w *world) by(d doing) *nodetest.Node {
	running := w.net.Running()
	return running[1+d.Node%(len(running)-1)]
}

func (w *world) post(ctx context.Context, d doing) {
	w.t.Helper()
	head := records.PostHead{Tags: []records.Tag{"sky"}}
	if d.Post%3 == 1 {
		head = records.PostHead{Mentions: []records.User{w.net.Nodes[0].User()}}
	}
	if d.Post%3 != 1 {
		d.Age = 0 // what is dated back is not announced
	}
	created := records.MillisOf(time.Now().Add(-time.Duration(d.Age) * time.Hour))
	w.publish(ctx, d, sealed(ctx, w.t, w.network, 1+d.Post%2, created, len(w.posts), head), nil)
}

func (w *world) publish(ctx context.Context, d doing, r, replaces *records.Record) {
	w.t.Helper()
	if _, err := w.by(d).PublishRecord(ctx, r, replaces); err != nil {
		w.t.Fatalf("%v: %v", d, err)
	}
	_, body, _ := r.Post()
	w.texts[r.ItemKey()] = body.Text
	if replaces == nil {
		w.posts = append(w.posts, r)
	} else {
		w.posts[slices.Index(w.posts, replaces)] = r
	}
}

func (w *world) change(ctx context.Context, d doing) {
	w.t.Helper()
	old := w.posts[d.Post%len(w.posts)]
	if old.Deleted() {
		return
	}
	draft := records.Tombstone(old, records.MillisOf(time.Now()))
	if d.What == "edit" {
		var err error
		if draft, err = records.EditPost(old, records.MillisOf(time.Now()), records.PostBody{Text: fmt.Sprintf("edited %d", old.Rev())}); err != nil {
			w.t.Fatal(err)
		}
	}
	by := 1
	if old.Author() == author(2).User() {
		by = 2
	}
	r, err := records.Seal(ctx, w.network, records.AuthorSigner(author(by)), draft)
	if err != nil {
		w.t.Fatal(err)
	}
	w.publish(ctx, d, r, old)
}

// cut takes the reader off for some minutes, in which others publish.
func (w *world) cut(ctx context.Context, d doing) {
	w.t.Helper()
	x := w.net.Nodes[0]
	var others []int
	for _, o := range w.net.Running()[1:] {
		others = append(others, o.Index)
	}
	w.net.Links.Partition(others, []int{0})
	w.net.Pass(time.Duration(d.Minutes) * time.Minute)
	w.post(ctx, d)
	w.net.Links.Heal()
	for waited := 0; x.Status().Peers < len(others)-1 && waited < 300; waited++ {
		w.net.Pass(time.Second)
	}
	w.net.Pass(20 * time.Second) // until it knows again who is there
}

// look compares home with what was said.
func (w *world) look(ctx context.Context, d doing) {
	w.t.Helper()
	got := map[records.ItemKey]string{}
	var trace node.Trace
	for r, err := range w.net.Nodes[0].Home(node.WithTrace(ctx, &trace), node.Range{Limit: node.MaxTimeline}) {
		if err != nil {
			w.t.Fatalf("after %+v: %v", d, err)
		}
		_, body, _ := r.Post()
		got[r.ItemKey()] = body.Text
	}
	if trace.Cost().Requests == 0 {
		w.free++
	}
	if !maps.Equal(got, w.texts) {
		w.t.Fatalf("after %+v home shows %d of %d posts, or another version", d, len(got), len(w.texts))
	}
}

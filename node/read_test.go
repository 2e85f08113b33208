package node_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// Whichever members hang, who knows the neighbourhood reads without them: others are
// asked long before those are given up, and when most hang, soon after.
func TestTimeline_hungMembers(t *testing.T) {
	const members = 6
	simulate(t, nodetest.Config{
		Nodes: members + 1, Links: nodetest.LinksConfig{Seed: 31},
		Tune: func(i int, c *node.Config) { c.Client = i == members },
	}, func(ctx context.Context, net *nodetest.Network) {
		reader, want := net.Nodes[members], []string{"here I am #sky"}
		publish(ctx, t, net.Nodes[0], node.Draft{Text: want[0]})
		readIn := func(hung []int, most time.Duration) {
			t.Helper()
			texts(ctx, t, reader, node.TagSource("sky"), 50) // it knows whom to ask
			for _, i := range hung {
				net.Links.Pause(i)
			}
			began := time.Now()
			if got := texts(ctx, t, reader, node.TagSource("sky"), 50); !slices.Equal(got, want) {
				t.Errorf("while %v hang it reads %q", hung, got)
			}
			if took := time.Since(began); took >= most {
				t.Errorf("while %v hang it reads for %s", hung, took)
			}
			for _, i := range hung {
				net.Links.Resume(i)
			}
			net.Pass(time.Minute)
		}
		for i := range members {
			for j := range i {
				readIn([]int{i, j}, time.Second)
			}
		}
		readIn([]int{0, 2, 3, 4, 5}, node.Default().FetchTimeout)
	})
}

// Many timelines are read as one, newest first, each post once; a page of one
// timeline takes up where the one before ended, whatever arrived meanwhile; and what
// it cost is told.
func TestMerged_oneCursor(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 10, Links: nodetest.LinksConfig{Seed: 32}}, func(ctx context.Context, net *nodetest.Network) {
		sources := []node.Source{node.TagSource("sky")}
		var want []*records.Record
		for i := range 12 {
			x, d := net.Nodes[i%3], node.Draft{Text: fmt.Sprintf("post %d", i)}
			if i%4 == 0 {
				d.Text += " #sky" // read by its tag and by its author
			}
			want = append(want, publish(ctx, t, x, d))
		}
		for _, x := range net.Nodes[:3] {
			sources = append(sources, node.UserSource(x.User()))
		}
		slices.Reverse(want)
		var got []*records.Record
		var trace node.Trace
		for rng := (node.Range{Limit: 5}); ; {
			page := read(node.WithTrace(ctx, &trace), t, net.Nodes[7].Merged, sources, rng)
			got = append(got, page...)
			if len(page) < rng.Limit {
				break
			}
			last := page[len(page)-1]
			rng.Before = records.Position{Created: last.Created(), Key: last.ItemKey()}
			publish(ctx, t, net.Nodes[0], node.Draft{Text: "one more #sky"})
		}
		if !slices.Equal(got, want) && !sameIDs(got, want) {
			t.Errorf("%d posts, want %d", len(got), len(want))
		}
		if c := trace.Cost(); c.Rounds < 3 || c.Rounds > 6 || c.Places < 12 || c.Requests < 9 || c.Received <= c.Sent/10 || c.Records < 12 {
			t.Errorf("three pages cost %+v", c)
		}
		if _, err := first(net.Nodes[7].Merged(ctx, nil, node.Range{Limit: 1})); err == nil {
			t.Error("no timeline at all is read")
		}
	})
}

func read(ctx context.Context, t *testing.T, merged func(context.Context, []node.Source, node.Range) nodeSeq, sources []node.Source, rng node.Range) (out []*records.Record) {
	t.Helper()
	for r, err := range merged(ctx, sources, rng) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

type nodeSeq = iter.Seq2[*records.Record, error]

func first(seq nodeSeq) (*records.Record, error) {
	for r, err := range seq {
		return r, err
	}
	return nil, errors.New("nothing")
}

func sameIDs(a, b []*records.Record) bool {
	return slices.EqualFunc(a, b, func(r, s *records.Record) bool { return r.ID() == s.ID() })
}

// Posts are shown as soon as nothing can come before them, not when the page is
// complete; and who has seen enough ends the reading.
func TestTimeline_showsEarly(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 8, Links: nodetest.LinksConfig{Seed: 33}}, func(ctx context.Context, net *nodetest.Network) {
		key, err := records.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		var all []*records.Record
		for i := range 10 { // a post every other month
			all = append(all, sealAt(ctx, t, key, time.Now().Add(-time.Duration(i)*56*24*time.Hour)))
		}
		net.Plant(ctx, all)
		reader := node.UserSource(key.User())
		var at []time.Time
		began := time.Now()
		for _, err := range net.Nodes[5].Timeline(ctx, reader, node.Range{Limit: 10}) {
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, time.Now())
		}
		if len(at) != 10 || !at[0].Before(at[9]) || at[0].Equal(began) {
			t.Errorf("posts after %v", at)
		}
		var trace node.Trace
		if _, err := first(net.Nodes[6].Timeline(node.WithTrace(ctx, &trace), reader, node.Range{Limit: 10})); err != nil || trace.Cost().Rounds != 1 {
			t.Errorf("the first post alone took %d rounds, %v", trace.Cost().Rounds, err)
		}
	})
}

// sealAt is a post in a simulated network at some time.
func sealAt(ctx context.Context, t *testing.T, key records.Key, at time.Time) *records.Record {
	t.Helper()
	network, err := records.TestNetwork("simulation")
	if err != nil {
		t.Fatal(err)
	}
	d, err := records.NewPost(records.MillisOf(at), [8]byte{}, records.PostHead{}, records.PostBody{Text: at.String()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := records.Seal(ctx, network, records.AuthorSigner(key), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A busy timeline takes two rounds, and one when it is read again; what was posted
// meanwhile is shown, too.
func TestTimeline_again(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 8, Links: nodetest.LinksConfig{Seed: 34}}, func(ctx context.Context, net *nodetest.Network) {
		network, err := records.TestNetwork("simulation")
		if err != nil {
			t.Fatal(err)
		}
		s := newScribe(t, network, 3)
		var all []*records.Record
		for i := range 400 { // a hundred a day
			all = append(all, s.post(time.Now().Add(-time.Duration(i)*864*time.Second), fmt.Sprint(i), "busy"))
		}
		net.Plant(ctx, all)
		reader := net.Nodes[4]
		cost := func(want string) int {
			t.Helper()
			var trace node.Trace
			got := texts(node.WithTrace(ctx, &trace), t, reader, node.TagSource("busy"), 50)
			if len(got) < 50 || got[0] != want {
				t.Fatalf("reads %d posts, the first %q, want %q", len(got), got[0], want)
			}
			return trace.Cost().Rounds
		}
		pages := 400 / 50
		if first := cost("0"); first > 3*pages || first < pages+1 {
			t.Errorf("it takes %d rounds for %d pages", first, pages)
		}
		if again := cost("0"); again > pages+2 {
			t.Errorf("again it takes %d rounds for %d pages", again, pages)
		}
		publish(ctx, t, net.Nodes[1], node.Draft{Text: "new #busy"})
		cost("new #busy")
	})
}

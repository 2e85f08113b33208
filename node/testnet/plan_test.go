package testnet_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/testnet"
	"github.com/starling-social/starling/records"
)

var now = time.UnixMilli(1_790_000_000_000)

func testNetwork(t *testing.T) records.Network {
	t.Helper()
	n, err := records.TestNetwork("plan")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A line keeps its author, its time, its thread and its hashtags; it is said now.
func TestPlan(t *testing.T) {
	zero, one := 0, 1
	posts, _, _, err := testnet.Plan(testNetwork(t), []testnet.Line{
		{ID: 0, Time: 1000, Author: 7, Text: "root #go", Tags: []string{"go"}},
		{ID: 1, Time: 2000, Author: 8, Text: "reply", Mentions: []int{7}, ReplyTo: &zero},
		{ID: 2, Time: 3000, Author: 8, Text: "sequel", ReplyTo: &one},
	}, 5, now)
	if err != nil {
		t.Fatal(err)
	}
	root, reply, sequel := posts[0].Record, posts[1].Record, posts[2].Record
	if root.Author() != testnet.KeyOf(7).User() || root.Created() != 1000 || root.Rev().Millis() != records.MillisOf(now) {
		t.Errorf("root %+v", root)
	}
	if want := []string{root.Author().String(), "#go"}; !slices.Equal(posts[0].Sources, want) {
		t.Errorf("sources %v", posts[0].Sources)
	}
	if _, body, _ := root.Post(); len(body.Facets) != 1 {
		t.Errorf("facets %+v", body.Facets)
	}
	head, _, _ := reply.Post()
	if *head.Root != root.Ref() || *head.Parent != root.Ref() || head.Mentions[0] != root.Author() {
		t.Errorf("reply %+v", head)
	}
	if head, _, _ = sequel.Post(); *head.Root != root.Ref() || *head.Parent != reply.Ref() {
		t.Errorf("sequel %+v", head)
	}
}

// Of a line with more places than a post can have, tags come before mentions and
// the rest is left out.
func TestPlan_morePlacesThanAllowed(t *testing.T) {
	zero := 0
	posts, _, expected, err := testnet.Plan(testNetwork(t), []testnet.Line{
		{ID: 0, Author: 1, Tags: []string{"a"}},
		{ID: 1, Author: 1, Tags: []string{"f", "e", "d", "c"}, Mentions: []int{5, 5, 4, 3, 2}, ReplyTo: &zero},
		{ID: 2, Author: 1, Tags: []string{"g", "h", "i", "j", "k", "l", "m", "n"}},
	}, 3, now)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := posts[1].Record.Post()
	if len(head.Tags) != 4 || len(head.Mentions) != 1 || head.Mentions[0] != testnet.KeyOf(5).User() {
		t.Errorf("head %+v", head)
	}
	if n := node.CountPlaces(head, posts[1].Record.Author()); n != records.MaxPlaces {
		t.Errorf("%d places", n)
	}
	if head, _, _ = posts[2].Record.Post(); len(head.Tags) != 7 || slices.Contains(head.Tags, "n") {
		t.Errorf("tags %v", head.Tags)
	}
	if want := 3 + 8; expected != want { // the author's three posts, and the eight watched tags once each
		t.Errorf("%d pairs expected, want %d", expected, want)
	}
}

// No post is published by a node that watches one of its timelines, and all nodes
// publish.
func TestPlan_publishers(t *testing.T) {
	lines := testnet.Demo(400, now)
	for _, nodes := range []int{2, 3, 8, 20} {
		posts, watched, expected, err := testnet.Plan(testNetwork(t), lines, nodes, now)
		if err != nil {
			t.Fatal(err)
		}
		by, heard := map[int]int{}, 0
		for _, p := range posts {
			by[p.Publisher]++
			for _, s := range p.Sources {
				at, ok := watched[s]
				if ok && at == p.Publisher {
					t.Fatalf("%d nodes: node %d publishes what it watches", nodes, at)
				}
				if ok {
					heard++
				}
			}
		}
		if heard != expected || len(watched) != 12 {
			t.Errorf("%d nodes: %d pairs in %d timelines, expected %d", nodes, heard, len(watched), expected)
		}
		if len(by) < nodes/2 {
			t.Errorf("%d nodes: only %d publish", nodes, len(by))
		}
	}
}

func TestPlan_future(t *testing.T) {
	_, _, _, err := testnet.Plan(testNetwork(t), []testnet.Line{{Time: now.UnixMilli() + 1}}, 2, now)
	if !errors.Is(err, testnet.ErrStream) {
		t.Errorf("a post of tomorrow: %v", err)
	}
}

func TestQuantiles(t *testing.T) {
	if p50, p99 := testnet.Quantiles(); p50 != 0 || p99 != 0 {
		t.Errorf("of none: %v, %v", p50, p99)
	}
	var all []time.Duration
	for i := range 200 {
		all = append(all, time.Duration(200-i)*time.Millisecond)
	}
	if p50, p99 := testnet.Quantiles(all...); p50 != 100 || p99 != 198 {
		t.Errorf("of 1 to 200 ms: %v, %v", p50, p99)
	}
	if p50, p99 := testnet.Quantiles(1500 * time.Microsecond); p50 != 1.5 || p99 != 1.5 {
		t.Errorf("of one: %v, %v", p50, p99)
	}
}

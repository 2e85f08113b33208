package node_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// holders are how many nodes of crowd keep places; the rest are clients, who write
// and can be killed without taking a member away.
const holders = 12

// crowd is a network of holders and so many clients.
func crowd(network records.Network, clients int, seed uint64) nodetest.Config {
	return nodetest.Config{
		Nodes: holders + clients, Network: network, Links: nodetest.LinksConfig{Seed: seed},
		Tune: func(i int, c *node.Config) { c.Client = i >= holders },
	}
}

// A writer is killed at every point between the first frame of a late record and
// the last of what that displaced. Whoever reads finds all that was there before,
// at once and ever after; and when the holders' minute is over, everything stands
// where it belongs.
func TestCarry_writerKilled(t *testing.T) {
	network := shallow(t, 4, 3)
	moments := 9
	if smaller() {
		moments = 4
	}
	simulate(t, crowd(network, moments, 22), func(ctx context.Context, net *nodetest.Network) {
		s := newScribe(t, network, 1)
		start := time.Now().AddDate(0, -2, 0)
		sky := node.TagSource("sky")
		var rs []*records.Record
		for i := range 9 { // two full levels
			rs = append(rs, s.post(start.Add(time.Duration(i)*time.Minute), fmt.Sprint(i), "sky"))
			write(ctx, t, net.Nodes[0], rs[i], nil)
		}
		for i := range moments {
			writer := net.Nodes[holders+i]
			texts(ctx, t, writer, sky, 50) // so that it knows the members
			late := s.post(start.Add(-time.Duration(i+1)*time.Minute), fmt.Sprint("late ", i), "sky")
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = writer.PublishRecord(ctx, late, nil) // it may never know
			}()
			net.Pass(time.Duration(1+10*i*9/moments) * time.Millisecond * 2)
			net.Kill(writer.Index)
			<-ended
			net.Pass(time.Second) // what is under way between others
			got := texts(ctx, t, net.Nodes[i%holders], sky, 50)
			if slices.Contains(got, fmt.Sprint("late ", i)) {
				rs = append(rs, late)
			}
			if len(got) != len(rs) {
				t.Errorf("after the death of writer %d, %d of %d posts are read: %q", i, len(got), len(rs), got)
			}
		}
		t.Logf("%d records were on their way down, %d posts of the dead arrived", net.OnTheWay(), len(rs)-9)
		net.Pass(12 * time.Minute) // healing displaces too, and what cannot be carried is tried again after minutes
		checkTree(t, net, rs)
		for _, x := range net.Running() {
			if got := texts(ctx, t, x, sky, 50); len(got) != len(rs) {
				t.Errorf("node %d reads %d of %d posts: %q", x.Index, len(got), len(rs), got)
			}
		}
	})
}

// A writer is killed at every point of the first post of a tag, on its way from the
// root to the month. Either everybody reads it or nobody.
func TestCarry_writerKilledOnTheWayDown(t *testing.T) {
	network := shallow(t, 4, 3)
	moments := 9
	if smaller() {
		moments = 4
	}
	simulate(t, crowd(network, moments, 23), func(ctx context.Context, net *nodetest.Network) {
		s := newScribe(t, network, 2)
		start := time.Now().AddDate(0, -2, 0)
		var sources []node.Source
		for i := range moments {
			writer := net.Nodes[holders+i]
			tag := records.Tag(fmt.Sprint("first", i))
			sources = append(sources, node.TagSource(tag))
			texts(ctx, t, writer, sources[i], 50) // so that it knows the members
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = writer.PublishRecord(ctx, s.post(start, "first", tag), nil)
			}()
			net.Pass(time.Duration(1+10*i*9/moments) * time.Millisecond * 2)
			net.Kill(writer.Index)
			<-ended
		}
		net.Pass(time.Second) // what is under way between others
		found := 0
		for range 2 { // at once, and when every holder has done what it does
			for i, source := range sources {
				first := texts(ctx, t, net.Nodes[0], source, 50)
				for _, x := range net.Nodes[1:4] {
					if got := texts(ctx, t, x, source, 50); !slices.Equal(got, first) {
						t.Errorf("writer %d: node %d reads %q, node 0 %q", i, x.Index, got, first)
					}
				}
				found += len(first)
			}
			net.Pass(2 * time.Minute)
		}
		if found == 0 || found == 2*moments {
			t.Errorf("%d of %d posts were found: the writers were not killed on the way", found, 2*moments)
		}
	})
}

// Edits and deletions find the level of the original: in a bucket, as a witness, and
// where it went when others displaced it.
func TestEdit_findsTheOriginal(t *testing.T) {
	network := shallow(t, 4, 3)
	simulate(t, nodetest.Config{Nodes: holders, Network: network, Links: nodetest.LinksConfig{Seed: 24}}, func(ctx context.Context, net *nodetest.Network) {
		s := newScribe(t, network, 3)
		start := time.Now().AddDate(0, -2, 0)
		var rs []*records.Record
		for i := range 10 {
			rs = append(rs, s.post(start.Add(time.Duration(i)*time.Minute), fmt.Sprint(i), "sky"))
			write(ctx, t, net.Nodes[i], rs[i], nil)
		}
		replace := func(i int, x *nodetest.Node, next *records.Record) {
			write(ctx, t, x, next, rs[i])
			rs[i] = next
		}
		for i := 0; i < 10; i += 2 {
			replace(i, net.Nodes[10-i], s.edit(rs[i], fmt.Sprint(i, " edited")))
		}
		for i := range 4 { // older than all: what was in the month's bucket leaves it
			r := s.post(start.Add(-time.Duration(i+1)*time.Minute), fmt.Sprint("late ", i), "sky")
			rs = append(rs, r)
			write(ctx, t, net.Nodes[i], r, nil)
			replace(i, net.Nodes[11], s.edit(rs[i], fmt.Sprint(i, " edited late"))) // perhaps while it is on its way down
		}
		replace(4, net.Nodes[3], s.remove(rs[4]))
		replace(0, net.Nodes[4], s.remove(rs[0]))
		net.Pass(4 * time.Minute)
		checkTree(t, net, rs)
		want := map[records.ItemKey]records.ID{}
		for _, r := range rs {
			want[r.ItemKey()] = r.ID()
		}
		for _, x := range net.Nodes {
			n := 0
			for r, err := range x.Timeline(ctx, node.TagSource("sky"), node.Range{Limit: 50}) {
				if err != nil || r.ID() != want[r.ItemKey()] {
					t.Fatalf("node %d reads another version of a post, or none: %v", x.Index, err)
				}
				n++
			}
			if n != len(rs) {
				t.Errorf("node %d reads %d of %d posts", x.Index, n, len(rs))
			}
		}
	})
}

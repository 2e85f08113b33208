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

// liars makes a third of the nodes tell a lie, and returns one that does not.
func liars(net *nodetest.Network, l nodetest.Lie) (honest *nodetest.Node) {
	lie := map[int]bool{}
	for _, x := range net.Third() {
		x.Lie(l)
		lie[x.Index] = true
	}
	i := slices.IndexFunc(net.Nodes, func(x *nodetest.Node) bool { return !lie[x.Index] })
	return net.Nodes[i]
}

// monthStart is when the month that holds t begins.
func monthStart(t time.Time) time.Time {
	const month = 28 * 24 * time.Hour
	return time.Unix(0, 0).Add(t.Sub(time.Unix(0, 0)).Truncate(month))
}

// A third of the members say that a month ends before all that anybody writes. A
// writer who believed them would put its next posts below, where nobody looks.
func TestBelief_lowBound(t *testing.T) {
	network := shallow(t, 5, 64)
	simulate(t, crowd(network, 1, 60), func(ctx context.Context, net *nodetest.Network) {
		writer := liars(net, nodetest.Below(network, nodetest.LowBound))
		for i := range 3 {
			publish(ctx, t, writer, node.Draft{Text: fmt.Sprint(i, " #sky")})
		}
		if got := texts(ctx, t, net.Nodes[holders], node.TagSource("sky"), 50); len(got) != 3 {
			t.Errorf("%q are read of 3 posts", got)
		}
	})
}

// A third of the members show a post of a full month as the witness of a week that
// has no other. A writer who believed them would put the week's next post straight
// there, where nobody looks.
func TestBelief_falseWitness(t *testing.T) {
	network := shallow(t, 5, 4)
	simulate(t, crowd(network, 1, 61), func(ctx context.Context, net *nodetest.Network) {
		writer := liars(net, nodetest.FalseWitnesses())
		s, sky := newScribe(t, network, 1), node.TagSource("sky")
		start := monthStart(time.Now().AddDate(0, -3, 0))
		put := func(at time.Duration) {
			write(ctx, t, writer, s.post(start.Add(at), at.String(), "sky"), nil)
		}
		for i := range 4 { // the month is full
			put(time.Duration(i) * time.Hour)
		}
		put(8 * 24 * time.Hour)    // of the second week: the writer learns the bound
		found(ctx, t, writer, sky) // and is shown that there is more in the first
		put(5 * time.Hour)
		if got := found(ctx, t, net.Nodes[holders], sky); len(got) != 6 {
			t.Errorf("%d of 6 posts are read", len(got))
		}
	})
}

// A third of the members say that every put displaced records which stay where they
// are. A writer carries nothing for them: no place below is used.
func TestBelief_forgedDisplaced(t *testing.T) {
	network := shallow(t, 8, 64) // all are one neighbourhood: of a small one a third may be two of five
	simulate(t, crowd(network, 1, 62), func(ctx context.Context, net *nodetest.Network) {
		writer := liars(net, nodetest.Displace())
		s := newScribe(t, network, 1)
		start := monthStart(time.Now().AddDate(0, -3, 0))
		var rs []*records.Record
		for i := range 12 { // each older than all before, so that what is claimed can be
			rs = append(rs, s.post(start.Add(time.Duration(20-i)*time.Hour), fmt.Sprint(i), "sky"))
			write(ctx, t, writer, rs[i], nil)
		}
		net.Pass(12 * time.Minute) // witnesses that were replaced have been carried, at the second attempt too
		checkTree(t, net, rs)
	})
}

// A writer and a reader that were away for long know the tree and its members as
// they were. Meanwhile older posts moved everything down, and members were replaced.
// Nothing that the one writes or the other reads is hidden.
func TestBelief_staleCaches(t *testing.T) {
	network := shallow(t, 4, 3)
	simulate(t, crowd(network, 2, 63), func(ctx context.Context, net *nodetest.Network) {
		s, sky := newScribe(t, network, 1), node.TagSource("sky")
		writer, reader := net.Nodes[holders], net.Nodes[holders+1]
		start := time.Now().AddDate(0, -3, 0)
		n := 0
		put := func(x *nodetest.Node, at time.Duration) {
			write(ctx, t, x, s.post(start.Add(at), fmt.Sprint(n), "sky"), nil)
			n++
		}
		for i := range 8 {
			put(writer, time.Duration(i)*time.Hour)
		}
		texts(ctx, t, reader, sky, 50)
		net.Links.Partition([]int{writer.Index, reader.Index})
		for i := range 10 {
			put(net.Nodes[i%holders], -time.Duration(i+1)*time.Hour)
		}
		net.Kill(3) // one member of every place at most is lost, and a newcomer is another
		newcomer := net.Start()
		net.Links.Heal()
		net.Pass(time.Minute) // they find the others again
		for i := range 3 {
			put(writer, time.Duration(20+i)*time.Minute)
		}
		for _, x := range []*nodetest.Node{reader, writer, newcomer, net.Nodes[0]} {
			if got := texts(ctx, t, x, sky, 50); len(got) != n {
				t.Errorf("node %d reads %d of %d posts", x.Index, len(got), n)
			}
		}
	})
}

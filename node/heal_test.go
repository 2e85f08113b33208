package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/starling-social/starling/node"
	rules "github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// library is posts of a few people with a few tags, over a month.
func library(t *testing.T, n records.Network, posts int) (rs []*records.Record) {
	t.Helper()
	start := time.Now().Add(-30 * 24 * time.Hour)
	var scribes []*scribe
	for i := range 5 {
		scribes = append(scribes, newScribe(t, n, byte(i)))
	}
	for i := range posts {
		tag := records.Tag(fmt.Sprintf("tag%d", i%7))
		rs = append(rs, scribes[i%5].post(start.Add(time.Duration(i)*30*24*time.Hour/time.Duration(posts)), fmt.Sprint("post ", i), tag))
	}
	return rs
}

// mustHold checks that every place is whole on every member.
func mustHold(t *testing.T, net *nodetest.Network, rs []*records.Record) {
	t.Helper()
	differences := net.Audit(rs)
	for _, d := range differences[:min(len(differences), 5)] {
		t.Error(d)
	}
	if n := len(differences); n > 0 {
		t.Errorf("%d places differ", n)
	}
}

func healing(every time.Duration) func(int, *node.Config) {
	return func(_ int, c *node.Config) { c.HealInterval = every }
}

// What nobody reads is healed like what everybody does: after a third of the nodes
// died at once, every place is whole on every member that is left within two
// intervals and a minute.
func TestHeal_afterManyDied(t *testing.T) {
	nodes, posts := 24, 100
	if smaller() {
		nodes, posts = 14, 40
	}
	network := shallow(t, 4, 8)
	const every = 3 * time.Minute
	simulate(t, nodetest.Config{Nodes: nodes, Network: network, Links: nodetest.LinksConfig{Seed: 51}, Tune: healing(every)}, func(ctx context.Context, net *nodetest.Network) {
		rs := library(t, network, posts)
		net.Plant(ctx, rs)
		for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(nodes)[:nodes*3/10] {
			net.Kill(i)
		}
		net.Pass(2*every + time.Minute)
		mustHold(t, net, rs)
	})
}

// A node that joins takes its share before it answers for it, each record about once:
// at no moment does it show less of a place than belongs there.
func TestHeal_join(t *testing.T) {
	network := shallow(t, 4, 8)
	simulate(t, nodetest.Config{Nodes: 12, Network: network, Links: nodetest.LinksConfig{Seed: 52}}, func(ctx context.Context, net *nodetest.Network) {
		rs := library(t, network, 150)
		net.Plant(ctx, rs)
		x := net.Start()
		plan := net.Plan(rs)
		for answered := 0; answered == 0; net.Pass(10 * time.Millisecond) {
			var wrong int
			if answered, wrong = plan.Answers(x, x.Region()); wrong > 0 {
				t.Fatalf("the new node answers for %d places, of which it does not hold %d; its healing is %+v", answered, wrong, x.Status().Healing)
			}
		}
		net.Pass(2 * time.Minute)
		if answered, wrong := plan.Answers(x, x.Region()); answered != plan.Places(x.Region()) || wrong > 0 {
			t.Errorf("the new node answers for %d of %d places, and not as it should for %d", answered, plan.Places(x.Region()), wrong)
		}
		if s := x.Status(); s.Healing.Filling || s.Healing.Compared.IsZero() || s.Healing.Taken == 0 {
			t.Errorf("the new node's healing is %+v", s.Healing)
		}
		mustHold(t, net, rs)
		entries := x.Entries()
		if taken := x.Status().Healing.Taken; taken > int64(entries)*11/10 {
			t.Errorf("the new node took %d records at a place to hold %d", taken, entries)
		}
	})
}

// Two halves of a network that could not reach each other, and both went on to post,
// edit and delete, hold the same soon after they can: deletions win, nothing is
// there twice.
func TestHeal_partition(t *testing.T) {
	network := shallow(t, 4, 8)
	const nodes = 10
	simulate(t, nodetest.Config{Nodes: nodes, Network: network, Links: nodetest.LinksConfig{Seed: 53}}, func(ctx context.Context, net *nodetest.Network) {
		ctx = context.WithoutCancel(ctx) // this takes longer than others
		s := newScribe(t, network, 1)
		var rs []*records.Record
		put := func(x *nodetest.Node, r, replaces *records.Record) *records.Record {
			// A side may be short of members, so that a majority is not had.
			_, _ = x.PublishRecord(ctx, r, replaces)
			rs = append(rs, r)
			return r
		}
		var posts []*records.Record
		for i := range 20 {
			posts = append(posts, put(net.Nodes[i%nodes], s.post(time.Now(), fmt.Sprint(i), "sky"), nil))
			net.Pass(time.Second)
		}
		var left, right []int
		for i := range nodes {
			if i%2 == 0 {
				left = append(left, i)
			} else {
				right = append(right, i)
			}
		}
		net.Links.Partition(left, right)
		net.Pass(5 * time.Minute)
		for i := range 10 {
			put(net.Nodes[0], s.post(time.Now(), fmt.Sprint("left ", i), "sky"), nil)
			put(net.Nodes[1], s.post(time.Now(), fmt.Sprint("right ", i), "sky"), nil)
			net.Pass(time.Second)
		}
		put(net.Nodes[0], s.edit(posts[3], "edited on the left"), posts[3])
		put(net.Nodes[1], s.remove(posts[4]), posts[4])
		edited := put(net.Nodes[0], s.edit(posts[5], "edited in vain"), posts[5])
		put(net.Nodes[1], s.seal(records.Tombstone(edited, edited.Rev().Millis()+1), nil), posts[5])
		net.Pass(2 * time.Minute)
		net.Links.Heal()
		net.Pass(10 * time.Minute)
		mustHold(t, net, rs)
		for _, x := range []*nodetest.Node{net.Nodes[6], net.Nodes[7]} {
			got := texts(ctx, t, x, node.TagSource("sky"), 50)
			slices.Sort(got)
			if n := len(got); n != 40 || len(slices.Compact(got)) < 39 {
				t.Errorf("node %d reads %d posts", x.Index, n)
			}
		}
	})
}

// A node that was away for long brings nothing back that was deleted meanwhile.
func TestHeal_deadStayDead(t *testing.T) {
	network := shallow(t, 4, 8)
	simulate(t, nodetest.Config{Nodes: 7, Network: network, Links: nodetest.LinksConfig{Seed: 54}, Tune: healing(5 * time.Minute)}, func(ctx context.Context, net *nodetest.Network) {
		s := newScribe(t, network, 1)
		var rs []*records.Record
		for i := range 20 {
			r := s.post(time.Now(), fmt.Sprint(i), "sky")
			write(ctx, t, net.Nodes[0], r, nil)
			rs = append(rs, r)
			net.Pass(time.Second)
		}
		net.Links.Partition([]int{0, 1, 2, 3, 4, 5}, []int{6})
		net.Pass(5 * time.Minute)
		for _, r := range rs[:10] {
			gone := s.remove(r)
			write(ctx, t, net.Nodes[1], gone, r)
			rs = append(rs, gone)
		}
		net.Pass(10 * time.Minute)
		net.Links.Heal()
		net.Pass(12 * time.Minute)
		mustHold(t, net, rs)
		for _, x := range net.Nodes {
			var shown int
			for r, err := range x.Timeline(ctx, node.TagSource("sky"), node.Range{Limit: 50}) {
				if err != nil {
					t.Fatal(err)
				}
				if !r.Deleted() {
					shown++
				}
			}
			if shown != 10 {
				t.Errorf("node %d shows %d posts, want 10", x.Index, shown)
			}
		}
	})
}

// When a network grows, nodes keep what their regions leave behind for its lease. Then
// they let go of what others hold, and of nothing else.
func TestHeal_shed(t *testing.T) {
	nodes := 20
	if smaller() {
		nodes = 16
	}
	network := shallow(t, 3, 8)
	simulate(t, nodetest.Config{Nodes: 6, Network: network, Links: nodetest.LinksConfig{Seed: 55}, Tune: healing(2 * time.Minute)}, func(ctx context.Context, net *nodetest.Network) {
		rs := library(t, network, 150)
		net.Plant(ctx, rs)
		planted := make([]int, 6) // bits of the region that each holds
		for i, x := range net.Nodes {
			planted[i] = x.Status().Prefix
		}
		for len(net.Nodes) < nodes {
			net.Start()
			net.Pass(5 * time.Second)
		}
		net.WaitReady()
		net.Settle()
		net.Pass(6 * time.Minute)
		mustHold(t, net, rs)
		for i, x := range net.Nodes[:6] {
			bits, left := x.Status().Prefix, x.Strays()
			if dropped := x.Status().Healing.Dropped; bits > planted[i] && left == 0 || dropped > 0 {
				t.Errorf("node %d, whose prefix has grown from %d to %d bits, holds %d entries outside and dropped %d places", x.Index, planted[i], bits, left, dropped)
			}
		}
		for _, x := range net.Nodes {
			x.Clock.Set(rules.Lease)
		}
		net.Pass(6 * time.Minute)
		mustHold(t, net, rs)
		for _, x := range net.Nodes {
			if n := x.Strays(); n > 0 {
				t.Errorf("node %d still holds %d entries of places that are others'", x.Index, n)
			}
		}
	})
}

// identities gives the nodes of a network keys that are the same each time.
func identities(t *testing.T, seed byte) func(int, *node.Config) {
	t.Helper()
	return func(i int, c *node.Config) {
		key, _, err := crypto.GenerateEd25519Key(rand.NewChaCha8([32]byte{seed, byte(i), byte(i >> 8)}))
		if err != nil {
			t.Fatal(err)
		}
		c.Identity = key
	}
}

// Where most members of a place are dead, readers turn to those who hold what lies
// beside it too. These know nothing of it, and do not pass for members that hold
// nothing: whoever is left is found, and nothing is missing without a word.
func TestHeal_fewLeft(t *testing.T) {
	nodes := 40
	if smaller() {
		nodes = 24
	}
	network := shallow(t, 6, 16)
	simulate(t, nodetest.Config{Nodes: nodes, Network: network, Links: nodetest.LinksConfig{Seed: 56}, Tune: identities(t, 1)}, func(ctx context.Context, net *nodetest.Network) {
		net.Plant(ctx, library(t, network, 70)) // 10 for each hashtag
		net.Kill(rand.New(rand.NewPCG(3, 4)).Perm(nodes)[:nodes*7/10]...)
		reader := net.Running()[0]
		for i := range 7 {
			tag := records.Tag(fmt.Sprintf("tag%d", i))
			shown, gap := shownOf(ctx, reader, node.TagSource(tag))
			for again := 0; again < 3 && gap != nil; again++ { // who has the posts may be taking on more
				net.Pass(30 * time.Second)
				shown, gap = shownOf(ctx, reader, node.TagSource(tag))
			}
			if shown != 10 {
				t.Errorf("%d of 10 posts of #%s are read, %v", shown, tag, gap)
			}
		}
	})
}

// shownOf counts the posts of a timeline, up to 50, and returns what is said to be
// missing.
func shownOf(ctx context.Context, x *nodetest.Node, s node.Source) (posts int, gap error) {
	for _, err := range x.Timeline(ctx, s, node.Range{Limit: 50}) {
		if err != nil {
			return posts, err
		}
		posts++
	}
	return posts, nil
}

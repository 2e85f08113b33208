package node_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// What a node tells others is not what it reads itself: where everybody says that
// nothing is there, each still finds what it keeps.
func TestServe_ownStoreStaysTrue(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 4, Links: nodetest.LinksConfig{Seed: 20}}, func(ctx context.Context, net *nodetest.Network) {
		for _, x := range net.Nodes {
			x.Lie(nodetest.Empty())
		}
		receipt, err := net.Nodes[0].Publish(ctx, node.Draft{Text: "hello #sky"})
		if !errors.Is(err, node.ErrNotReadBack) || !errors.Is(err, node.ErrNoQuorum) || receipt.Places[0].Shown != 0 {
			t.Errorf("acknowledged by all and shown by none: %+v, %v", receipt.Places, err)
		}
		for _, x := range net.Nodes {
			if got := texts(ctx, t, x, node.TagSource("sky"), 50); !slices.Equal(got, []string{"hello #sky"}) {
				t.Errorf("node %d reads %q of what it keeps", x.Index, got)
			}
		}
	})
}

// putLies are what members may answer to a put, showLies what to a query.
func putLies(network records.Network) map[string]nodetest.Lie {
	return map[string]nodetest.Lie{
		"honest puts":      nodetest.Lies(),
		"low bounds":       nodetest.Below(network, nodetest.LowBound),
		"high bounds":      nodetest.Below(network, nodetest.HighBound),
		"nothing stored":   nodetest.Swallow(),
		"not a member":     nodetest.Refuse(&exchange.Refusal{Code: exchange.NotAMember, Sentence: "not here"}),
		"out of order":     nodetest.Refuse(&exchange.Refusal{Code: exchange.Internal, Sentence: "sorry"}),
		"forged displaced": nodetest.Displace(),
	}
}

func showLies() map[string]nodetest.Lie {
	odd := func(r *records.Record) bool { return r.ItemKey()[0]%2 == 1 }
	return map[string]nodetest.Lie{
		"honest answers":    nodetest.Lies(),
		"empty":             nodetest.Empty(),
		"withheld":          nodetest.Withhold(odd),
		"honest prints":     nodetest.Parrot(nodetest.Empty()),
		"prints of some":    nodetest.Parrot(nodetest.Withhold(odd)),
		"babble":            nodetest.Babble(),
		"false witnesses":   nodetest.FalseWitnesses(),
		"witnesses, prints": nodetest.Parrot(nodetest.FalseWitnesses()),
	}
}

// The silencing attack: a third of the members of every place lie together, in what
// they answer to puts and in what they show. Whatever honest people published in any
// order, late ones too, and edited or deleted, whoever reads finds all of it.
func TestLies_hideNothing(t *testing.T) {
	scenarios := len(showLies())
	if smaller() {
		scenarios = 2
	}
	for i := range scenarios {
		t.Run(fmt.Sprint(i), func(t *testing.T) { silence(t, uint64(i)) })
	}
}

// silence is one attack: seeds draw which lies are told.
func silence(t *testing.T, seed uint64) {
	network := shallow(t, 5, 4)
	random := rand.New(rand.NewPCG(seed, 40))
	simulate(t, crowd(network, 2, 40+seed), func(ctx context.Context, net *nodetest.Network) {
		puts, shows := slices.Sorted(maps.Keys(putLies(network))), slices.Sorted(maps.Keys(showLies()))
		put, show := puts[random.IntN(len(puts))], shows[int(seed)%len(shows)]
		t.Logf("a third lies: %s, %s", put, show)
		liars := map[int]bool{}
		for _, x := range net.Third() {
			x.Lie(nodetest.Lies(putLies(network)[put], showLies()[show]))
			liars[x.Index] = true
		}
		honest := slices.DeleteFunc(net.Running(), func(x *nodetest.Node) bool { return liars[x.Index] })
		want := published(ctx, t, network, random, honest)
		reads(ctx, t, honest[0], want)
		reads(ctx, t, net.Nodes[holders], want) // it holds nothing itself
		net.Pass(100 * time.Second)             // every holder has done what it does
		reads(ctx, t, net.Nodes[holders+1], want)
	})
}

// published are posts of honest people to one tag, in random order and from random
// nodes, some of them edited or deleted later.
func published(ctx context.Context, t *testing.T, network records.Network, random *rand.Rand, honest []*nodetest.Node) map[records.ItemKey]records.ID {
	t.Helper()
	s := newScribe(t, network, 4)
	start := time.Now().AddDate(0, -2, 0)
	want := map[records.ItemKey]records.ID{}
	for i, minute := range random.Perm(18) {
		x := honest[random.IntN(len(honest))]
		r := s.post(start.Add(time.Duration(minute*minute)*time.Minute), fmt.Sprint(minute), "sky")
		write(ctx, t, x, r, nil)
		want[r.ItemKey()] = r.ID()
		if i%6 == 5 {
			next := s.edit(r, fmt.Sprint(minute, " edited"))
			if i%12 == 11 {
				next = s.remove(r)
			}
			write(ctx, t, honest[random.IntN(len(honest))], next, r)
			want[r.ItemKey()] = next.ID()
		}
	}
	return want
}

// reads checks that a node reads all that is wanted of the tag, in its last version.
func reads(ctx context.Context, t *testing.T, x *nodetest.Node, want map[records.ItemKey]records.ID) {
	t.Helper()
	got := found(ctx, t, x, node.TagSource("sky"))
	if !maps.Equal(got, want) {
		t.Errorf("node %d reads %d posts of %d, or other versions of them", x.Index, len(got), len(want))
	}
}

// found are the posts that a node reads of a timeline. Who is led on by false
// witnesses gives up in the end, and says that something may be missing.
func found(ctx context.Context, t *testing.T, x *nodetest.Node, s node.Source) map[records.ItemKey]records.ID {
	t.Helper()
	got := map[records.ItemKey]records.ID{}
	for r, err := range x.Timeline(ctx, s, node.Range{Limit: 100}) {
		if gap := (*node.GapError)(nil); errors.As(err, &gap) {
			t.Logf("node %d is told: %v", x.Index, err)
			break
		}
		if err != nil {
			t.Fatalf("timeline of %s on node %d: %v", s, x.Index, err)
		}
		got[r.ItemKey()] = r.ID()
	}
	return got
}

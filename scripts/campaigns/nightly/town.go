package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

const aTown = "town"

// townsfolk are whole nodes, of which a third, and so a third of the members of every
// place, play all adversaries that there are.
type townsfolk struct {
	size
	net    *nodetest.Network
	random *rand.Rand
	honest []*nodetest.Node
	pasts  []*nodetest.Past
	said   []*stored
	began  time.Time
}

// A stored post is one that a majority has, as its author was told. Its versions are in
// the order in which they were stored.
type stored struct {
	author   *nodetest.Node
	versions []*records.Record
}

func (p *stored) newest() *records.Record { return p.versions[len(p.versions)-1] }

// A size is how large a town is, and how much happens there.
type size struct {
	people, neighbourhood int
	posts                 int // of all together, with what becomes of them
}

var (
	wholeTown = size{people: 18, neighbourhood: 8, posts: 24}
	smallTown = size{people: 9, neighbourhood: 6, posts: 12} // half of the adversaries, by the seed
)

const garbage = 4096 // bytes to each protocol

// town has honest nodes post, edit and delete among adversaries, while one of them is
// killed and another's clock is wrong, and looks whether each of the others reads what
// was stored, once, and nothing that was deleted.
func town(ctx context.Context, seed uint64, of size) (virtual time.Duration, err error) {
	err = campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		t := &townsfolk{size: of, random: rand.New(rand.NewPCG(seed, 2)), began: time.Now()}
		defer func() { virtual = time.Since(t.began) }()
		network, err := records.NewNetwork("nightly", records.Params{Neighbourhood: t.neighbourhood, Capacity: 16})
		if err != nil {
			return err
		}
		t.net = nodetest.New(s, nodetest.Config{
			Nodes: t.people, Network: network, Keys: seed + 1, Links: nodetest.LinksConfig{Seed: seed},
			Tune: func(_ int, c *node.Config) { c.HealInterval = 2 * time.Minute },
		})
		t.net.Settle()
		t.cast(ctx, network)
		return t.live(ctx)
	})
	return virtual, err
}

// cast gives a third of the nodes their parts.
func (t *townsfolk) cast(ctx context.Context, network records.Network) {
	bad := t.net.Third()
	t.honest = slices.DeleteFunc(t.net.Running(), func(x *nodetest.Node) bool { return slices.Contains(bad, x) })
	first := t.random.IntN(6)
	hidden := func(r *records.Record) bool { return r.ItemKey()[0]%2 == 1 }
	for i, x := range bad {
		switch (first + i) % 6 {
		case 0:
			x.Play(nodetest.Silent(x))
		case 1:
			x.Play(nodetest.Forgetful())
		case 2:
			x.Play(nodetest.Liar(
				nodetest.Empty(), nodetest.Withhold(hidden), nodetest.Babble(), nodetest.FalseWitnesses(), nodetest.Displace(),
				nodetest.Below(network, nodetest.HighBound), nodetest.Parrot(nodetest.Empty()), nodetest.Swallow(),
			))
		case 3:
			t.pasts = append(t.pasts, t.net.Replay(ctx, x))
		case 4:
			t.pasts = append(t.pasts, t.net.Resurrect(ctx, x))
		default:
			t.net.Links.Slow(x.Index, 1+t.random.IntN(2000))
		}
	}
}

// live is a quarter of an hour in town, and what is left of it.
func (t *townsfolk) live(ctx context.Context) error {
	spammer := t.net.Spammer(1)
	victim, late := t.honest[0], t.honest[1]
	late.Clock.Set(-time.Duration(t.random.IntN(3600)) * time.Second)
	for i := range t.posts {
		switch i {
		case t.posts / 4:
			t.net.Kill(victim.Index)
		case t.posts / 2:
			t.net.Restart(victim.Index)
			t.net.WaitReady()
		}
		if err := t.say(ctx, i); err != nil {
			return err
		}
		if _, err := spammer.Garbage(ctx, t.honest[2+t.random.IntN(len(t.honest)-2)], garbage); err != nil {
			return fmt.Errorf("send garbage: %w", err)
		}
		t.net.Pass(time.Duration(t.random.IntN(20)) * time.Second)
	}
	for range 2 {
		for _, p := range t.pasts {
			if _, err := p.Push(ctx); err != nil {
				return fmt.Errorf("push the past: %w", err)
			}
		}
		t.net.Pass(5 * time.Minute)
	}
	late.Clock.Set(0)
	for _, x := range t.honest {
		if err := t.look(ctx, x); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// say has somebody post something, or edit or delete what they posted. What no majority
// took may be read or not, and is not looked for.
func (t *townsfolk) say(ctx context.Context, i int) error {
	var receipt node.Receipt
	var err error
	old := t.some()
	switch what := t.random.IntN(4); {
	case old == nil || what > 1:
		old = &stored{author: t.honest[2+t.random.IntN(len(t.honest)-2)]}
		receipt, err = old.author.Publish(ctx, node.Draft{Text: fmt.Sprintf("post %d #sky", i)})
		if err == nil {
			t.said = append(t.said, old)
		}
	case what == 1:
		receipt, err = old.author.Edit(ctx, old.newest().Ref(), fmt.Sprintf("edited %d #sky", i))
	default:
		receipt, err = old.author.Delete(ctx, old.newest().Ref())
	}
	switch {
	case errors.Is(err, node.ErrNoQuorum):
		if receipt.Record != nil && len(old.versions) > 0 {
			t.said = slices.DeleteFunc(t.said, func(p *stored) bool { return p == old }) // either version may be read
		}
		return nil
	case err != nil:
		return fmt.Errorf("post %d: %w", i, err)
	}
	old.versions = append(old.versions, receipt.Record)
	return nil
}

// some is one of the posts that is not deleted; nil if there is none.
func (t *townsfolk) some() *stored {
	open := slices.DeleteFunc(slices.Clone(t.said), func(p *stored) bool { return p.newest().Deleted() })
	if len(open) == 0 {
		return nil
	}
	return open[t.random.IntN(len(open))]
}

// look compares what a node reads with what was stored. Where it says that something
// may be missing it is asked again.
func (t *townsfolk) look(ctx context.Context, x *nodetest.Node) error {
	var shown map[records.ItemKey]*records.Record
	for again := range 4 {
		var gap bool
		var err error
		if shown, gap, err = read(ctx, x); err != nil {
			return err
		}
		if !gap {
			break
		}
		if again == 3 {
			return fmt.Errorf("node %d says again and again that something is missing", x.Index)
		}
		t.net.Pass(30 * time.Second)
	}
	for _, p := range t.said {
		got, want := shown[p.newest().ItemKey()], p.newest()
		switch {
		case got == nil && want.Deleted():
		case got == nil:
			return fmt.Errorf("node %d misses a post that was stored", x.Index)
		case got.ID() != want.ID():
			return fmt.Errorf("node %d reads version %d of a post, not %d", x.Index, got.Rev(), want.Rev())
		}
	}
	return nil
}

// read is all of a hashtag, and whether something may be missing.
func read(ctx context.Context, x *nodetest.Node) (shown map[records.ItemKey]*records.Record, gap bool, err error) {
	shown = map[records.ItemKey]*records.Record{}
	for r, err := range x.Timeline(ctx, node.TagSource("sky"), node.Range{Limit: node.MaxTimeline}) {
		var missing *node.GapError
		switch {
		case errors.As(err, &missing):
			gap = true
		case err != nil:
			return nil, false, fmt.Errorf("read on node %d: %w", x.Index, err)
		case shown[r.ItemKey()] != nil:
			return nil, false, fmt.Errorf("node %d reads a post twice", x.Index)
		default:
			shown[r.ItemKey()] = r
		}
	}
	return shown, gap, nil
}

// Command weapon lets some members of a network abuse healing, and counts what it costs the others.
package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/colony"
)

const (
	interval = 3 * time.Minute          // between two comparisons of a node, as nodes have it
	within   = 2*interval + time.Minute // an attack lasts at least as long
	rate     = 128 << 10                // bytes a second that a node may move: a slow line
	share    = 0.1                      // of it that an attack may take
)

func main() {
	var only string
	campaign.Main("weapon", func(ctx context.Context, c *campaign.Campaign) error { return run(ctx, c, only) }, func(f *flag.FlagSet) {
		f.StringVar(&only, "only", "", "a `part` of the names of attacks to try; what anybody may have once is always taken before")
	})
}

// An attack is what all impostors do for a while.
type attack struct {
	name           string
	face           int32
	pester, browse bool // one node
	readers        bool // honest nodes read meanwhile, and see who lacks what
	first          bool // it shows what anybody may have once, and counts for nothing
	newcomer       bool // an honest node joins meanwhile
	long           bool // not for a quick run, whose other attacks hold what it does
}

var attacks = []attack{
	{name: "holds nothing, and says so to readers too", face: denies, readers: true},
	{name: "claims what nobody has", face: boasts, long: true},
	{name: "hands over something else", face: throws},
	{name: "asks for everything, as who is new does", face: denies, pester: true, first: true},
	{name: "goes on asking for everything", face: denies, pester: true},
	{name: "goes on asking, and says that it is new, for ever", face: gathers, pester: true, readers: true, newcomer: true},
	{name: "holds nothing, and says to a newcomer that this is all", face: denies, newcomer: true},
	{name: "reads ten thousand places", face: denies, browse: true},
	{name: "all of it but reading", face: throws, pester: true, readers: true, long: true},
}

func run(ctx context.Context, c *campaign.Campaign, only string) error {
	return campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error { return weapon(ctx, c, s, only) })
}

// weapon gives a network some impostors and lets them attack in one way after the
// other. Before each attack an honest node loses a tree, which it should have again
// whatever goes on.
func weapon(ctx context.Context, c *campaign.Campaign, s *campaign.Simulation, only string) error {
	net, err := colony.Found(c, s, colony.Config{
		Nodes: c.Size(24, 6), Neighbourhood: 16,
		Tune: func(n *node.Config) { n.HealInterval, n.MendRate = interval, rate },
	})
	if err != nil {
		return err
	}
	posts, err := net.Library(ctx, c.Size(5_000, 300))
	if err != nil {
		return err
	}
	net.Net.Plant(ctx, posts)
	o := &observer{Colony: net, length: time.Duration(c.Size(3, 2))*interval + time.Minute, simulation: s, posts: posts, plan: net.Net.Plan(posts)}
	for i := range c.Size(3, 1) {
		m, err := o.intrude(ctx, i)
		if err != nil {
			return err
		}
		o.impostors = append(o.impostors, m)
	}
	net.Net.Pass(interval)
	c.Figure("nodes", len(net.Net.Nodes))
	c.Figure("impostors", len(o.impostors))
	c.Figure("keys", len(posts))
	c.Figure("entries", net.Net.Nodes[0].Entries())
	c.Table("attack", "bytes/s to them", "of the rate", "healing a node", "of the rate", "writes of one", "entries written", "victim whole after", "newcomer whole after", "answers with less")
	for _, a := range attacks {
		if !a.first && !strings.Contains(a.name, only) || a.long && c.Quick {
			continue
		}
		if err := o.suffer(ctx, a); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	o.report()
	return nil
}

// An observer counts what attacks cost.
type observer struct {
	*colony.Colony
	simulation *campaign.Simulation
	posts      []*records.Record
	plan       *nodetest.Plan
	impostors  []*impostor
	length     time.Duration // of each attack

	most    float64 // share of the rate that any node spent on impostors in any attack
	writes  int     // of any record at a place to one impostor in one interval
	slowest time.Duration
	partial time.Duration // that newcomers answered while they lacked something
}

// suffer is one attack.
func (o *observer) suffer(ctx context.Context, a attack) error {
	victim := o.Net.Nodes[1]
	before, mended := o.sent(), o.mended()
	for _, m := range o.impostors {
		m.wear(a.face)
	}
	if _, err := victim.Lose(ctx, o.posts[0].Roots()[0]); err != nil {
		return err
	}
	attacking, stop := context.WithCancel(ctx)
	defer stop()
	g, attacking := errgroup.WithContext(attacking)
	for _, m := range o.impostors {
		if a.pester {
			g.Go(func() error { m.pester(attacking, victim.PeerID()); return nil })
		}
		if a.browse {
			g.Go(func() error { m.browse(attacking, victim.PeerID(), o.places()); return nil })
		}
	}
	if a.readers {
		for _, x := range o.Net.Nodes[2:5] {
			g.Go(func() error { o.read(attacking, x); return nil })
		}
	}
	followed := []*course{{node: victim}}
	if a.newcomer {
		followed = append(followed, &course{node: o.Net.Start()})
	}
	o.follow(followed)
	stop()
	_ = g.Wait()
	o.account(a, before, mended, followed)
	return ctx.Err()
}

// A course is how a node came to hold what it should.
type course struct {
	node    *nodetest.Node
	whole   time.Duration // when it did
	partial time.Duration // that it answered before
}

// follow lets an attack last and looks when nodes were whole: one that never was, at
// its end.
func (o *observer) follow(all []*course) {
	waiting := slices.Clone(all)
	for began := time.Now(); time.Since(began) < o.length; o.Net.Pass(time.Second) {
		waiting = slices.DeleteFunc(waiting, func(c *course) bool {
			c.whole = time.Since(began)
			if o.plan.Cover(c.node, c.node.Region()).Whole() {
				return true
			}
			if s := c.node.Status(); s.Ready && !s.Healing.Filling {
				c.partial += time.Second
			}
			return false
		})
	}
}

// sent is how many bytes each node sent to impostors.
func (o *observer) sent() (out []int64) {
	for _, x := range o.Net.Nodes {
		sum := int64(0)
		for _, m := range o.impostors {
			sum += o.Net.Links.Sent(x.Index, m.number).Bytes
		}
		out = append(out, sum)
	}
	return out
}

// mended is how many bytes of records healing and repair moved at each node.
func (o *observer) mended() (out []int64) {
	for _, x := range o.Net.Nodes {
		m := x.Status().Mending
		out = append(out, m.Taken+m.Given)
	}
	return out
}

// account notes what an attack cost. What goes to those who read is no healing: only
// what follows from it counts then.
func (o *observer) account(a attack, sent, mended []int64, followed []*course) {
	toThem, healing := o.worst(sent, o.sent()), o.worst(mended, o.mended())
	writes, keys := 0, 0
	for _, m := range o.impostors {
		w, k := m.most()
		writes, keys = max(writes, w), max(keys, k)
	}
	whole, newcomer, partial := followed[0].whole, any(""), any("")
	if a.newcomer {
		c := followed[1]
		newcomer, partial = c.whole, c.partial
		o.slowest, o.partial = max(o.slowest, c.whole), max(o.partial, c.partial)
	}
	o.Row(a.name, toThem, toThem/rate, healing, healing/rate, writes, keys, whole, newcomer, partial)
	switch {
	case a.first:
	case a.browse:
		o.most = max(o.most, healing/rate)
	default:
		o.most = max(o.most, toThem/rate)
	}
	o.writes, o.slowest = max(o.writes, writes), max(o.slowest, whole)
}

// worst is the most bytes a second that anybody needed for something.
func (o *observer) worst(before, now []int64) (most float64) {
	for i := range before { // a newcomer has just taken everything
		most = max(most, float64(now[i]-before[i])/o.length.Seconds())
	}
	return most
}

// places are ten thousand that an impostor reads: all that there are, and others.
func (o *observer) places() (out []records.Place) {
	for _, p := range o.posts {
		out = append(out, p.Roots()...)
	}
	for i := len(out); i < boasted; i++ {
		out = append(out, records.TagPlace(records.Tag(fmt.Sprintf("nobody%d", i))))
	}
	return out
}

// read reads hashtags on a node until ctx ends.
func (o *observer) read(ctx context.Context, x *nodetest.Node) {
	for i := 0; pause(ctx, time.Second); i++ {
		for range x.Timeline(ctx, node.TagSource(records.Tag(fmt.Sprintf("tag%d", i%40))), node.Range{Limit: 50}) {
			continue
		}
	}
}

func (o *observer) report() {
	differences := o.Net.Audit(o.posts)
	strange := 0
	for _, x := range o.Net.Nodes {
		strange += x.Entries() - int(o.plan.Cover(x, x.Region()).Held)
	}
	o.AtMost("share_of_the_rate", o.most, share)
	o.AtMost("writes_of_an_entry_an_interval", float64(o.writes), float64(o.Network.Params.Neighbourhood))
	o.AtMost("seconds_until_all_are_whole", o.slowest.Seconds(), within.Seconds())
	o.AtMost("seconds_a_newcomer_answers_with_less", o.partial.Seconds(), interval.Seconds())
	o.AtMost("places_that_differ_in_the_end", float64(len(differences)), 0)
	o.AtMost("entries_that_nobody_wrote", float64(strange), 0)
}

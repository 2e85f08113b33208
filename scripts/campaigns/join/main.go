// Command join lets a network grow one node at a time and watches what each of them takes to hold its share.
package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/colony"
)

const (
	interval = 3 * time.Minute  // between two comparisons of a node, as nodes have it
	least    = 15 * time.Second // between two that join
	most     = time.Minute      // that one is waited for
	rest     = 2*interval + time.Minute
	look     = 5 * time.Second       // between two looks at all nodes
	blink    = 20 * time.Millisecond // between two at one that has just started
)

func main() { campaign.Main("join", run) }

// growing is a network that grows.
type growing struct{ from, to, neighbourhood int }

// run has nodes join one by one: in a network that doubles, and in one that becomes
// four times as large. In the end the clocks show a day later, so that nodes let go of
// what is others' then.
func run(ctx context.Context, c *campaign.Campaign) error {
	for _, g := range []growing{
		{c.Size(50, 16), c.Size(100, 24), c.Size(16, 6)},
		{c.Size(16, 8), c.Size(64, 24), c.Size(8, 4)},
	} {
		err := campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error { return grow(ctx, c, s, g) })
		if err != nil {
			return fmt.Errorf("from %d to %d nodes: %w", g.from, g.to, err)
		}
	}
	return nil
}

func grow(ctx context.Context, c *campaign.Campaign, s *campaign.Simulation, g growing) error {
	o := &observer{growing: g, fewest: g.to}
	net, err := colony.Found(c, s, colony.Config{
		Nodes: g.from, Neighbourhood: g.neighbourhood,
		Tune: func(n *node.Config) { n.HealInterval, n.Serve = interval, o.mailbox() },
	})
	if err != nil {
		return err
	}
	posts, err := net.Library(ctx, c.Size(2_000, 200))
	if err != nil {
		return err
	}
	net.Net.Plant(ctx, posts)
	o.Colony, o.plan = net, net.Net.Plan(posts)
	c.Table("nodes", "bits", "records due", "bytes due", "taken", "given to it", "bytes moved/due", "all bytes/due", "answers after", "for all after", "dropped by all")
	for len(net.Net.Nodes) < g.to {
		if err := o.join(ctx); err != nil {
			return err
		}
	}
	net.Net.Settle()
	for _, x := range net.Net.Nodes {
		x.Clock.Set(healing.Lease)
	}
	net.Net.Pass(2 * rest)
	o.report(len(posts))
	return nil
}

// An observer watches a colony grow.
type observer struct {
	*colony.Colony
	growing
	plan  *nodetest.Plan
	boxes []*mailbox // what was put to each node

	looked           time.Time     // around at all nodes
	due, moved, wire int64         // bytes, of all newcomers
	slowest          time.Duration // until one answered for all of its region
	wrong            int           // answers of nodes that did not hold what they answered for
	lacking          int64         // records that members which say that they are whole lacked, at any look
	fewest           int           // copies of any record at any place, at any look
}

// join lets one node join and waits until it answers for all that is its to hold.
func (o *observer) join(ctx context.Context) error {
	x := o.Net.Start()
	began := time.Now()
	for !x.Status().Ready {
		_, wrong := o.plan.Answers(x, x.Region())
		o.wrong += wrong
		o.Net.Pass(blink)
	}
	var first, all time.Duration
	for passed := time.Since(began); passed < most && (all == 0 || passed < least); passed = time.Since(began) {
		answered, wrong := o.plan.Answers(x, x.Region())
		o.wrong += wrong
		if answered > 0 && first == 0 {
			first = passed
		}
		switch region := o.plan.Cover(x, x.Region()); {
		case answered < o.plan.Places(x.Region()):
			all = 0 // its region may have grown again
		case all == 0 && region.Whole():
			all = passed
		}
		if time.Since(o.looked) >= look {
			o.lookAround()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		o.Net.Pass(time.Second)
	}
	if all == 0 {
		all = most
	}
	o.slowest = max(o.slowest, all)
	o.account(x, first, all)
	return nil
}

// lookAround notes what members that answer for their region lack, and how few copies
// there are of anything.
func (o *observer) lookAround() {
	o.looked = time.Now()
	for _, x := range o.Net.Running() {
		if !x.Status().Healing.Filling {
			o.lacking += o.plan.Cover(x, x.Region()).Missing()
		}
	}
	o.fewest = min(o.fewest, o.plan.Copies(o.Net.Running()))
}

// account adds what a newcomer has cost.
func (o *observer) account(x *nodetest.Node, first, all time.Duration) {
	c, s, box := o.plan.Cover(x, x.Region()), x.Status(), o.boxes[x.Index]
	moved, wire := s.Mending.Taken+box.bytes.Load(), o.Net.Links.SentTo(x.Index).Bytes
	o.due, o.moved, o.wire = o.due+c.Bytes, o.moved+moved, o.wire+wire
	if n, every := len(o.Net.Nodes), max((o.to-o.from)/10, 1); (n-o.from)%every == 0 {
		o.Row(n, s.Prefix, c.Due, c.Bytes, s.Healing.Taken, box.records.Load(), ratio(moved, c.Bytes), ratio(wire, c.Bytes), first, all, o.dropped())
	}
}

func (o *observer) dropped() (places int64) {
	for _, x := range o.Net.Running() {
		places += x.Status().Healing.Dropped
	}
	return places
}

// report sets the bars, when everything has come to rest.
func (o *observer) report(posts int) {
	wrong, strays := 0, 0
	for _, x := range o.Net.Running() {
		_, w := o.plan.Answers(x, x.Region())
		wrong += w
		strays += x.Strays()
	}
	rule, _ := o.Cover(o.plan, o.Rule())
	own, _ := o.Cover(o.plan, colony.Own)
	name := func(what string) string { return fmt.Sprintf("%s_%d_to_%d", what, o.from, o.to) }
	o.Figure("posts", posts)
	o.Figure(name("bytes_due"), o.due)
	o.Figure(name("bytes_moved"), o.moved)
	o.Figure(name("bytes_to_newcomers"), o.wire)
	o.Figure(name("places_dropped"), o.dropped())
	o.AtMost(name("seconds_until_a_newcomer_answers"), o.slowest.Seconds(), most.Seconds()-1)
	o.AtMost(name("bytes_moved_of_due"), ratio(o.moved, o.due), 1.25)
	o.AtMost(name("answers_without_all"), float64(o.wrong+wrong), 0)
	o.AtMost(name("lacking_at_members"), float64(o.lacking), 0)
	o.AtLeast(name("copies_at_any_time"), float64(o.fewest), float64(o.neighbourhood))
	o.AtMost(name("lacking_in_the_end"), float64(rule.Missing()+own.Missing()), 0)
	o.AtMost(name("strays_in_the_end"), float64(strays), 0)
}

func ratio(a, b int64) float64 { return float64(a) / float64(max(b, 1)) }

// A mailbox counts what others put to a node.
type mailbox struct{ records, bytes atomic.Int64 }

// mailbox makes the one of the next node.
func (o *observer) mailbox() func(node.ServedStore) node.ServedStore {
	box := &mailbox{}
	o.boxes = append(o.boxes, box)
	return func(s node.ServedStore) node.ServedStore { return counted{s, box} }
}

// counted is a store that counts what is put to it.
type counted struct {
	node.ServedStore
	box *mailbox
}

func (s counted) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	once := map[records.ID]bool{}
	for _, p := range puts {
		if id := p.Record.ID(); !once[id] {
			once[id] = true
			s.box.bytes.Add(int64(len(p.Record.Bytes())))
		}
	}
	s.box.records.Add(int64(len(puts)))
	return s.ServedStore.Merge(ctx, puts)
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// want is how many posts a page has.
const want = 50

// A page is what a reader is to read, and what they should see.
type page struct {
	timelines []timeline
	before    records.Position
	expected  []*records.Record
}

// pageOf is a page of the posts before a position; the newest if it is zero. Of
// several timelines it is merged.
func pageOf(before records.Position, timelines ...timeline) page {
	p := page{timelines: timelines, before: before}
	for _, t := range timelines {
		kept := 0
		for _, r := range t.posts {
			if before == (records.Position{}) || position(r).Compare(before) < 0 {
				p.expected = append(p.expected, r)
				if kept++; kept == want {
					break
				}
			}
		}
	}
	p.expected = newestFirst(p.expected)
	p.expected = p.expected[:min(len(p.expected), want)]
	return p
}

// A sighting is what reading one page cost.
type sighting struct {
	rounds, places, searches int
	requests, bytes          int64
	first, all               time.Duration // until the first post, and the last of the page
	wrong                    bool          // not what is there, or not in its order
}

// sight reads a page from a sequence and looks at the clock.
func (p page) sight(posts iter.Seq2[*records.Record, error]) (sighting, error) {
	var s sighting
	began, seen := time.Now(), 0
	for r, err := range posts {
		if err != nil {
			return s, err
		}
		if seen == 0 {
			s.first = time.Since(began)
		}
		s.wrong = s.wrong || seen >= len(p.expected) || r.ID() != p.expected[seen].ID()
		if seen++; seen == want {
			break
		}
	}
	s.all = time.Since(began)
	s.wrong = s.wrong || seen != len(p.expected)
	return s, nil
}

// ours reads a page on a node, as everybody does.
func ours(ctx context.Context, x *nodetest.Node, p page) (sighting, error) {
	return p.trace(ctx, func(ctx context.Context, rng node.Range) iter.Seq2[*records.Record, error] {
		if len(p.timelines) == 1 {
			return x.Timeline(ctx, p.timelines[0].source, rng)
		}
		var sources []node.Source
		for _, t := range p.timelines {
			sources = append(sources, t.source)
		}
		return x.Merged(ctx, sources, rng)
	})
}

// trace reads a page by a method of a node.
func (p page) trace(ctx context.Context, read func(context.Context, node.Range) iter.Seq2[*records.Record, error]) (sighting, error) {
	var trace node.Trace
	s, err := p.sight(read(node.WithTrace(ctx, &trace), node.Range{Limit: want, Before: p.before}))
	cost := trace.Cost()
	s.rounds, s.places, s.requests, s.bytes = cost.Rounds, cost.Places, cost.Requests, cost.Sent+cost.Received
	return s, err
}

// theirs reads a page with the baseline. Many timelines are read one after the
// other, and only then is it known what is newest.
func theirs(ctx context.Context, g *guest, p page) (sighting, error) {
	var meter exchange.Meter
	ctx = exchange.WithMeter(ctx, &meter)
	before := p.before
	if before == (records.Position{}) {
		before = records.Newest
	}
	was := g.Cost
	posts := g.Timeline(ctx, p.timelines[0].root, before)
	if len(p.timelines) > 1 {
		posts = g.merged(ctx, p.timelines, before)
	}
	s, err := p.sight(posts)
	s.rounds, s.places, s.searches = g.Cost.Rounds-was.Rounds, g.Cost.Places-was.Places, g.Cost.Searches-was.Searches
	s.requests, s.bytes = meter.Requests.Load(), meter.Sent.Load()+meter.Received.Load()
	return s, err
}

func (g *guest) merged(ctx context.Context, timelines []timeline, before records.Position) iter.Seq2[*records.Record, error] {
	return func(yield func(*records.Record, error) bool) {
		var all []*records.Record
		for _, t := range timelines {
			n := 0
			for r, err := range g.Timeline(ctx, t.root, before) {
				if err != nil {
					yield(nil, err)
					return
				}
				all = append(all, r)
				if n++; n == want {
					break
				}
			}
		}
		for _, r := range newestFirst(all) {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Sightings are those of many readers of one kind.
type sightings []sighting

// quantile is the smallest value that at least a share q of all do not exceed.
func quantile[T cmp.Ordered](all sightings, q float64, of func(sighting) T) (v T) {
	values := make([]T, 0, len(all))
	for _, s := range all {
		values = append(values, of(s))
	}
	if len(values) == 0 {
		return v
	}
	slices.Sort(values)
	return values[max(int(math.Ceil(q*float64(len(values))))-1, 0)]
}

// What is compared.
func rounds(s sighting) float64   { return float64(s.rounds) }
func places(s sighting) float64   { return float64(s.places) }
func requests(s sighting) float64 { return float64(s.requests) }
func volume(s sighting) float64   { return float64(s.bytes) }
func first(s sighting) float64    { return s.first.Seconds() }
func complete(s sighting) float64 { return s.all.Seconds() }

// quantiles are those that are reported and compared.
var quantiles = []float64{0.50, 0.95, 0.99}

// worst is the greatest ratio of a to b over the quantiles.
func worst(a, b sightings, of func(sighting) float64) float64 {
	ratio := 0.0
	for _, q := range quantiles {
		ratio = max(ratio, quantile(a, q, of)/quantile(b, q, of))
	}
	return ratio
}

// A study is one page read by many, each for the first time and once again.
type study struct {
	name                   string
	timeline               timeline  // the first, if there are several
	cold, warm             sightings // ours
	trustingCold, trusting sightings
	carefulCold, careful   sightings
}

// kinds are the sightings of each kind of reader.
func (st *study) kinds() []*sightings {
	return []*sightings{&st.cold, &st.warm, &st.trustingCold, &st.trusting, &st.carefulCold, &st.careful}
}

// add takes in what another study of the same found.
func (st *study) add(o study) {
	more := o.kinds()
	for i, all := range st.kinds() {
		*all = append(*all, *more[i]...)
	}
}

// wrong is how many saw what they should not have.
func (st *study) wrong() (n int) {
	for _, all := range st.kinds() {
		for _, s := range *all {
			if s.wrong {
				n++
			}
		}
	}
	return n
}

// asked is how many members ours asks for a place, and how many of them for
// records: what a careful reader of the baseline asks too.
const (
	asked     = 16
	askedFull = 2
)

// readAtOnce is how many read at the same moment: their links are their own, and
// the members' work takes no virtual time.
const readAtOnce = 6

// survey has every page read by a node that has just joined, and so many of them
// by two readers of the baseline as well. As many join as read at once: the others would
// wait for minutes, and be no newcomers any more.
func (sc *scene) survey(ctx context.Context, name string, pages []page, guests int) (study, error) {
	st := study{name: name, timeline: pages[0].timelines[0]}
	for begin := 0; begin < len(pages); begin += readAtOnce {
		some := pages[begin:min(begin+readAtOnce, len(pages))]
		if err := sc.sitting(ctx, &st, some, guests-begin); err != nil {
			return st, fmt.Errorf("%s: %w", name, err)
		}
	}
	return st, nil
}

// sitting is one after which all who read leave.
func (sc *scene) sitting(ctx context.Context, st *study, pages []page, guests int) error {
	nodes, err := sc.newcomers(ctx, len(pages))
	if err != nil {
		return err
	}
	defer sc.dismiss(nodes)
	invited := min(max(guests, 0), len(pages))
	mine, trusting, careful := make([][2]sighting, len(pages)), make([][2]sighting, invited), make([][2]sighting, invited)
	var g errgroup.Group
	for i, p := range pages {
		g.Go(func() (err error) {
			if mine[i], err = twice(func() (sighting, error) { return ours(ctx, nodes[i], p) }); err != nil || i >= invited {
				return err
			}
			if trusting[i], err = sc.invite(ctx, 1, p); err != nil {
				return err
			}
			careful[i], err = sc.invite(ctx, asked, p)
			return err
		})
	}
	err = g.Wait()
	for _, k := range []struct {
		all        [][2]sighting
		cold, warm *sightings
	}{{mine, &st.cold, &st.warm}, {trusting, &st.trustingCold, &st.trusting}, {careful, &st.carefulCold, &st.careful}} {
		for _, s := range k.all {
			*k.cold, *k.warm = append(*k.cold, s[0]), append(*k.warm, s[1])
		}
	}
	return err
}

// invite has a reader of the baseline come, read a page twice and leave: one who
// stayed would know the nodes from the study before, and ours do not.
func (sc *scene) invite(ctx context.Context, ask int, p page) ([2]sighting, error) {
	g, err := sc.guest(ctx, ask, min(ask, askedFull))
	if err != nil {
		return [2]sighting{}, err
	}
	defer g.leave()
	return twice(func() (sighting, error) { return theirs(ctx, g, p) })
}

func twice(read func() (sighting, error)) (s [2]sighting, err error) {
	for i := range s {
		if s[i], err = read(); err != nil {
			return s, err
		}
	}
	return s, nil
}

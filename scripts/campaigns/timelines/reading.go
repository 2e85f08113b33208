package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// A row is one line of what has to be shown, and the bars that it has to clear.
type row struct {
	name   string
	pages  []page
	guests int // how many of the pages the baseline reads too
	bars   func(*scene, study)
}

// read reads the pages of rows and prints what they cost.
func (sc *scene) read(ctx context.Context, rows []row) error {
	sc.header()
	wrong := 0
	for _, r := range rows {
		sc.look()
		st, err := sc.survey(ctx, r.name, r.pages, r.guests)
		if err != nil {
			return err
		}
		sc.report(st)
		wrong += st.wrong()
		r.bars(sc, st)
	}
	sc.AtMost(rows[0].name+", and what follows: pages that are not as they should be", float64(wrong), 0)
	return nil
}

// quietAndBusy are all rows but the busiest.
func quietAndBusy(ctx context.Context, sc *scene) error {
	planted, err := sc.plant(ctx, sc.crowds())
	if err != nil {
		return err
	}
	of := func(t records.Tag) timeline { return planted[records.TagPlace(t)] }
	rows := []row{
		{"3 a month, 12 months back", sc.newest(of("sparse")), sc.samples(), quiet},
		{"the same, every other month", sc.newest(of("seldom")), sc.samples(), quiet},
	}
	for _, t := range []struct {
		name string
		tag  records.Tag
	}{{"10 a day", "ten"}, {"30 a day", "thirty"}, {"100 a day", "hundred"}} {
		rows = append(rows, sc.steadyRows(t.name, of(t.tag))...)
	}
	return sc.read(ctx, rows)
}

// home is the feed of many people: asked for by name, and by who follows them.
func home(ctx context.Context, sc *scene) error {
	planted, err := sc.plant(ctx, sc.persons())
	if err != nil {
		return err
	}
	var all []timeline
	for i := range sc.people() {
		all = append(all, planted[records.UserPlace(author(firstPerson+i).User())])
	}
	// The baseline needs hundreds of searches one after the other: one tells enough.
	feed := row{fmt.Sprintf("home feed of %d people", sc.people()), sc.newest(all...), sc.Size(1, 0), homely}
	if err := sc.read(ctx, []row{feed}); err != nil {
		return err
	}
	return sc.atHome(ctx, pageOf(records.Position{}, all...))
}

// atHome has nodes follow all of a page's timelines and read them when they have
// copies.
func (sc *scene) atHome(ctx context.Context, p page) error {
	nodes, err := sc.newcomers(ctx, sc.Size(5, 2))
	if err != nil {
		return err
	}
	defer sc.dismiss(nodes)
	fresh, kept := study{name: "the same, just followed"}, study{name: "the same, followed and kept"}
	for _, x := range nodes {
		for _, t := range p.timelines {
			if err := x.Follow(ctx, t.source); err != nil {
				return err
			}
		}
	}
	for _, st := range []*study{&fresh, &kept} {
		for _, x := range nodes {
			s, err := p.trace(ctx, x.Home)
			if err != nil {
				return fmt.Errorf("home of node %d: %w", x.Index, err)
			}
			st.warm = append(st.warm, s)
		}
		sc.net.Pass(settling)
	}
	sc.report(fresh)
	sc.report(kept)
	sc.AtMost(kept.name+": round trips, p99", quantile(kept.warm, 0.99, rounds), 0)
	sc.AtMost(kept.name+": pages that are not as they should be", float64(fresh.wrong()+kept.wrong()), 0)
	return nil
}

// bursts are hashtags in which somebody posted every second for six hours, read at
// the end and three days after. What a reader has to guess goes by where in its
// slots a burst lies, so there are several, each at another time.
func bursts(ctx context.Context, sc *scene) error {
	const long, later = 6 * time.Hour, 3 * day
	times := sc.Size(6, 2)
	fresh, past := study{name: "1 a second for 6 h, at once"}, study{name: "the same, 3 days later"}
	for i := range times {
		sc.leap(time.Duration(sc.Rand.Int64N(int64(6 * time.Hour))))
		now, tags := sc.now(), [2]records.Tag{records.Tag(fmt.Sprintf("fresh%d", i)), records.Tag(fmt.Sprintf("past%d", i))}
		planted, err := sc.plant(ctx, append(
			tagged(sc.Rand, tags[0], sketch(sc.Rand, 86_400, now.Add(-long), now)),
			tagged(sc.Rand, tags[1], sketch(sc.Rand, 86_400, now.Add(-later-long), now.Add(-later)))...))
		if err != nil {
			return err
		}
		for k, into := range []*study{&fresh, &past} {
			pages := sc.newest(planted[records.TagPlace(tags[k])])
			st, err := sc.survey(ctx, into.name, pages[:max(len(pages)/times, 1)], len(pages))
			if err != nil {
				return err
			}
			into.add(st)
		}
	}
	sc.header()
	sc.report(fresh)
	sc.report(past)
	bars(2, 4)(sc, fresh)
	bars(6, 0)(sc, past)
	sc.AtMost("bursts: pages that are not as they should be", float64(fresh.wrong()+past.wrong()), 0)
	return nil
}

// busiest is the row of which there is most.
func busiest(ctx context.Context, sc *scene) error {
	now := sc.now()
	times := steady(sc.Rand, 100_000.0/28, now.Add(-time.Duration(sc.Size(28, 1))*day), now)
	planted, err := sc.plant(ctx, tagged(sc.Rand, "busy", times))
	if err != nil {
		return err
	}
	return sc.read(ctx, sc.steadyRows("100,000 a month", planted[records.TagPlace("busy")]))
}

func (sc *scene) steadyRows(name string, t timeline) []row {
	return []row{
		{name + ", newest", sc.newest(t), sc.samples(), bars(2, 3)},
		{name + ", cursor", sc.anywhere(t), sc.samples(), bars(2, 3)},
	}
}

// people is how many a home feed follows.
func (sc *scene) people() int { return sc.Size(100, 30) }

// firstPerson is the author's number of the first of them; those who write in
// hashtags are others.
const firstPerson = 1000

// crowds are the posts in hashtags, up to the present. A quick run has less of the
// past of each.
func (sc *scene) crowds() (out []draft) {
	now := sc.now()
	back := func(days int) time.Time { return now.Add(-time.Duration(days) * day) }
	past := back(sc.Size(84, 28))
	for _, t := range []struct {
		tag   records.Tag
		times []time.Time
	}{
		{"sparse", monthly(sc.Rand, 3, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, now)},
		{"seldom", monthly(sc.Rand, 3, []int{0, 1, 3, 5, 7, 9, 11}, now)},
		{"ten", steady(sc.Rand, 10, past, now)},
		{"thirty", steady(sc.Rand, 30, past, now)},
		{"hundred", steady(sc.Rand, 100, past, now)},
	} {
		out = append(out, tagged(sc.Rand, t.tag, t.times)...)
	}
	return out
}

// persons are people of mixed activity, from one post in 100 days to 30 a day,
// evenly by order of magnitude; each with at most some hundred posts.
func (sc *scene) persons() (out []draft) {
	now := sc.now()
	for i := range sc.people() {
		perDay := 0.01 * math.Pow(3000, sc.Rand.Float64())
		long := min(400, float64(sc.Size(100, 40))/perDay)
		times := steady(sc.Rand, perDay, now.Add(-time.Duration(long*float64(day))), now)
		if len(times) == 0 {
			times = []time.Time{now.Add(-200 * day)}
		}
		for _, at := range times {
			out = append(out, draft{at: at, author: firstPerson + i, text: prose(sc.Rand)})
		}
	}
	return out
}

// plant signs and plants drafts: those with tags in the hashtags, others with
// their authors.
func (sc *scene) plant(ctx context.Context, drafts []draft) (map[records.Place]timeline, error) {
	signed, err := sign(ctx, sc.network, author, drafts)
	if err != nil {
		return nil, err
	}
	out := map[records.Place]timeline{}
	for i, r := range signed {
		if len(drafts[i].tags) == 0 {
			add(out, records.UserPlace(r.Author()), node.UserSource(r.Author()), r)
		}
		for _, tag := range drafts[i].tags {
			add(out, records.TagPlace(tag), node.TagSource(tag), r)
		}
	}
	for _, t := range out {
		newestFirst(t.posts)
	}
	sc.net.PlantAt(ctx, signed, func(root records.Place) bool { return out[root].posts != nil })
	return out, nil
}

func add(all map[records.Place]timeline, root records.Place, source node.Source, r *records.Record) {
	all[root] = timeline{source, root, append(all[root].posts, r)}
}

// samples is how many read each page.
func (sc *scene) samples() int { return sc.Size(20, 2) }

// newest is the newest page of some timelines, for each reader; for half as many
// where there are many timelines, which takes the baseline hundreds of searches.
func (sc *scene) newest(timelines ...timeline) (pages []page) {
	many := sc.samples()
	if len(timelines) > 1 {
		many /= 2
	}
	for range many {
		pages = append(pages, pageOf(records.Position{}, timelines...))
	}
	return pages
}

// anywhere is a page further down, another for each reader.
func (sc *scene) anywhere(t timeline) (pages []page) {
	for range sc.samples() {
		at := t.posts[sc.Rand.IntN(len(t.posts)-want)]
		pages = append(pages, pageOf(position(at), t))
	}
	return pages
}

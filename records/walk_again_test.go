package records_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

// A page that is read again takes one round, however busy the timeline, from any
// cursor; and one with a few posts more no longer than it took at first.
func TestWalk_again(t *testing.T) {
	now := records.MillisOf(noon)
	for _, c := range []struct {
		name   string
		perDay float64
		days   records.Millis
	}{
		{"3 a month", 3. / 28, 600}, {"10 a day", 10, 60}, {"100 a day", 100, 30}, {"100,000 a month", 100_000. / 28, 8},
	} {
		rng := rand.New(rand.NewPCG(9, 9))
		s := newStream(t, poisson(rng, now-c.days*day, now, c.perDay))
		s.until(now - 60_000)
		for i := range 20 {
			before := records.Newest
			if i > 0 {
				before = s.root.Position(s.records[s.put/2+rng.IntN(s.put/2)])
			}
			first := s.page(t, before, now-60_000)
			again := s.readSupposing(first.held, s.root, before, now-60_000, 50)
			if !slices.Equal(again.page.Records, first.page.Records) || again.rounds != 1 {
				t.Errorf("%s: the same page takes %d rounds, and its %d posts are the same: %t", c.name, again.rounds,
					len(again.page.Records), slices.Equal(again.page.Records, first.page.Records))
			}
			if len(again.queries) > len(first.queries)+8 {
				t.Errorf("%s: %d places are asked again, %d at first", c.name, len(again.queries), len(first.queries))
			}
		}
		held := s.page(t, records.Newest, now-60_000).held
		s.until(now)
		later := s.readSupposing(held, s.root, records.Newest, now, 50)
		if want := s.page(t, records.Newest, now); !slices.Equal(later.page.Records, want.page.Records) || later.rounds > max(want.rounds, 2) {
			t.Errorf("%s: a minute later it takes %d rounds, and %d at first", c.name, later.rounds, want.rounds)
		}
	}
}

// Whatever is supposed, of this tree or another, the page is the same.
func TestWalk_supposesAnything(t *testing.T) {
	eachTimeline(t, func(t *rapid.T, tr *tree, s shape, some []*records.Record) {
		before := drawCursor(t, s.root, some)
		var supposed []records.Place
		for _, r := range rapid.SliceOfN(rapid.SampledFrom(s.records), 0, 20).Draw(t, "of") {
			root := rapid.SampledFrom(r.Roots()).Draw(t, "root")
			supposed = append(supposed, root.At(rapid.IntRange(0, 12).Draw(t, "level"), r))
		}
		out := tr.readSupposing(supposed, s.root, before, records.MillisOf(noon), 10)
		if page := truth(s.root, some, before, 10); !slices.Equal(out.page.Records, page) || len(out.page.Gaps) > 0 {
			t.Fatalf("%d records, want %d", len(out.page.Records), len(page))
		}
		for _, q := range out.queries {
			if !s.root.Covers(q.Place) {
				t.Fatalf("asked %s for %s", q.Place, s.root)
			}
		}
	})
}

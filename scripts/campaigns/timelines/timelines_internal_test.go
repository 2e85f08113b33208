package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 12, 5, 12, 0, 0, 0, time.UTC)

func quickly() *campaign.Campaign {
	return &campaign.Campaign{Quick: true, Seed: 1, Rand: rand.New(rand.NewPCG(1, 0))}
}

// Arrivals are as many as was said, in order, and none is in the future.
func TestArrivals(t *testing.T) {
	random := quickly().Rand
	year := noon.Add(-360 * day)
	for name, c := range map[string]struct {
		times       []time.Time
		least, most int
	}{
		"steady":  {steady(random, 100, noon.Add(-30*day), noon), 2700, 3300},
		"monthly": {monthly(random, 3, []int{0, 2}, noon), 6, 6},
		"sketch":  {sketch(random, 86_400, year, noon), 3000, 12_000},
		"burst":   {sketch(random, 86_400, noon.Add(-6*time.Hour), noon), 2000, 6000},
	} {
		slices.SortFunc(c.times, time.Time.Compare)
		if n := len(c.times); n < c.least || n > c.most {
			t.Errorf("%s: %d arrivals, want %d to %d", name, n, c.least, c.most)
		}
		if first, last := c.times[0], c.times[len(c.times)-1]; first.Before(year) || !last.Before(noon) {
			t.Errorf("%s: from %s to %s", name, first, last)
		}
	}
}

// A sketch has all of the latest, and of every slot that the end is in, or the one
// before, something in each part.
func TestSketch_bearsWitness(t *testing.T) {
	times := sketch(quickly().Rand, 86_400, noon.Add(-100*day), noon)
	count := func(from, to time.Time) (n int) {
		for _, at := range times {
			if !at.Before(from) && at.Before(to) {
				n++
			}
		}
		return n
	}
	if n := count(noon.Add(-10*time.Minute), noon); n < 500 || n > 700 {
		t.Errorf("%d posts in the last ten minutes, want about 600", n)
	}
	for part := noon.Truncate(day).Add(-day); part.Before(noon.Add(-6 * time.Hour)); part = part.Add(6 * time.Hour) {
		if count(part, part.Add(6*time.Hour)) == 0 {
			t.Errorf("nothing in the six hours from %s", part)
		}
	}
}

func TestQuantile(t *testing.T) {
	var all sightings
	for i := range 100 {
		all = append(all, sighting{rounds: 100 - i})
	}
	for q, want := range map[float64]float64{0.5: 50, 0.95: 95, 0.99: 99} {
		if got := quantile(all, q, rounds); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := quantile(sightings{}, 0.5, rounds); got != 0 {
		t.Errorf("quantile of nothing is %v", got)
	}
}

// In a small network everybody reads what was planted: one timeline and two as one,
// ours in fewer rounds.
func TestSurvey(t *testing.T) {
	err := campaign.Simulate(t.Context(), func(ctx context.Context, s *campaign.Simulation) error {
		sc, err := stage(quickly(), s, 6)
		if err != nil {
			return err
		}
		now := sc.now()
		planted, err := sc.plant(ctx, slices.Concat(
			tagged(sc.Rand, "a", steady(sc.Rand, 30, now.Add(-10*day), now)),
			tagged(sc.Rand, "b", steady(sc.Rand, 2, now.Add(-60*day), now))))
		if err != nil {
			return err
		}
		a, b := planted[records.TagPlace("a")], planted[records.TagPlace("b")]
		for name, pages := range map[string][]page{
			"newest": {pageOf(records.Position{}, a)},
			"cursor": {pageOf(position(a.posts[100]), a)},
			"merged": {pageOf(records.Position{}, a, b)},
		} {
			st, err := sc.survey(ctx, name, pages, 1)
			if err != nil {
				return err
			}
			if st.wrong() > 0 || len(pages[0].expected) != want {
				t.Errorf("%s: %d pages of %d posts are not as they should be", name, st.wrong(), len(pages[0].expected))
			}
			if ours, theirs := st.cold[0].rounds, st.trustingCold[0].rounds; ours == 0 || ours >= theirs {
				t.Errorf("%s: %d rounds, and %d with the baseline", name, ours, theirs)
			}
		}
		all, err := sc.readAll(ctx, a)
		if all.posts != len(a.posts) || all.wrong != 0 {
			t.Errorf("read %+v of %d posts", all, len(a.posts))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

package records_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

const day = records.Millis(24 * time.Hour / time.Millisecond)

// poisson is the times of posts that come at random, perDay on average.
func poisson(rng *rand.Rand, from, to records.Millis, perDay float64) (times []records.Millis) {
	for at := float64(from); ; {
		at += rng.ExpFloat64() * float64(day) / perDay
		if at >= float64(to) {
			return times
		}
		times = append(times, records.Millis(at))
	}
}

// A stream is a tree that is written as time goes by.
type stream struct {
	*tree
	root    records.Place
	records []*records.Record // oldest first
	put     int               // how many are in the tree
}

func newStream(t testing.TB, times ...[]records.Millis) *stream {
	s := &stream{tree: newTree(testNet), root: records.TagPlace("go")}
	all := slices.Concat(times...)
	slices.Sort(all)
	author := person(0).User()
	for i, at := range all {
		s.records = append(s.records, forge(t, testNet, author, draftPost(t, i, at, records.PostHead{Tags: []records.Tag{"go"}})))
	}
	slices.SortFunc(s.records, func(a, b *records.Record) int { return s.root.Position(a).Compare(s.root.Position(b)) })
	return s
}

// until writes what was posted before now.
func (s *stream) until(now records.Millis) {
	for ; s.put < len(s.records) && s.records[s.put].Created() < now; s.put++ {
		s.tree.put(s.root, s.records[s.put])
	}
}

// page reads 50 posts before a position and checks that they are the right ones.
func (s *stream) page(t testing.TB, before records.Position, now records.Millis) reading {
	t.Helper()
	out := s.read(s.root, before, now, 50)
	end, _ := slices.BinarySearchFunc(s.records[:s.put], before, func(r *records.Record, before records.Position) int {
		return s.root.Position(r).Compare(before)
	})
	want := slices.Clone(s.records[max(end-50, 0):end])
	slices.Reverse(want)
	if !slices.Equal(out.page.Records, want) {
		t.Fatalf("before %s: a wrong page", before.Created.Time())
	}
	return out
}

// costs gathers what pages cost.
type costs struct{ rounds, places, records []int }

func (c *costs) add(r reading) {
	c.rounds, c.places, c.records = append(c.rounds, r.rounds), append(c.places, len(r.queries)), append(c.records, r.seen)
}

func quantile(v []int, q float64) int {
	v = slices.Sorted(slices.Values(v))
	return v[int(q*float64(len(v)-1))]
}

func mean(v []int) float64 {
	sum := 0
	for _, x := range v {
		sum += x
	}
	return float64(sum) / float64(len(v))
}

func (c *costs) log(t testing.TB, what string) {
	t.Helper()
	t.Logf("%-36s rounds mean %.2f p95 %d max %d   places mean %5.1f p95 %3d   records mean %5.1f p95 %3d", what,
		mean(c.rounds), quantile(c.rounds, 0.95), quantile(c.rounds, 1), mean(c.places), quantile(c.places, 0.95),
		mean(c.records), quantile(c.records, 0.95))
}

// Steady traffic takes two rounds to 50 posts however dense it is: the newest
// page at any moment, and a page from any cursor.
func TestWalk_steadyTraffic(t *testing.T) {
	trials, shorter := 100, records.Millis(1)
	if testing.Short() {
		trials, shorter = 20, 4
	}
	now := records.MillisOf(noon)
	for _, c := range []struct {
		name   string
		perDay float64
		days   records.Millis
	}{
		{"10 a day", 10, 120}, {"30 a day", 30, 90}, {"100 a day", 100, 60}, {"1,000 a day", 1000, 35}, {"100,000 a month", 100_000. / 28, 32},
	} {
		c.days /= shorter
		rng := rand.New(rand.NewPCG(1, 2))
		s := newStream(t, poisson(rng, now-c.days*day, now, c.perDay))
		var newest, cursor costs
		for i := range records.Millis(trials) {
			at := now - c.days*day/2 + c.days*day/2*i/records.Millis(trials)
			s.until(at)
			newest.add(s.page(t, records.Newest, at))
		}
		s.until(now)
		for range trials {
			r := s.records[len(s.records)/4+rng.IntN(len(s.records)*3/4)]
			cursor.add(s.page(t, s.root.Position(r), now))
		}
		newest.log(t, c.name+", newest page")
		cursor.log(t, c.name+", page from a cursor")
		for _, got := range []costs{newest, cursor} {
			if p95 := quantile(got.rounds, 0.95); p95 > 2 {
				t.Errorf("%s: p95 of %d rounds, want 2", c.name, p95)
			}
		}
	}
}

// Traffic that is anything but steady costs a few rounds more.
func TestWalk_unsteadyTraffic(t *testing.T) {
	now := records.MillisOf(noon)
	rng := rand.New(rand.NewPCG(3, 4))
	hours := func(n records.Millis) records.Millis { return n * day / 24 }
	second := 86_400.
	long, odd := hours(6), hours(2)+23*60_000+17_000 // a time that ends no slot
	if testing.Short() {
		long = hours(1)
	}
	posts := poisson(rng, 0, long, second)
	burst := func(end records.Millis) (times []records.Millis) {
		for _, at := range posts {
			times = append(times, end-long+at)
		}
		return times
	}
	for _, c := range []struct {
		name  string
		limit int // rounds, p95
		ago   records.Millis
		times [][]records.Millis
	}{
		{"one post", 2, 0, [][]records.Millis{{now - 200*day}}},
		{"nothing", 1, 0, nil},
		{"3 a month for a year", 3, 0, [][]records.Millis{poisson(rng, now-336*day, now, 3./28)}},
		{"a post a year", 3, 0, [][]records.Millis{poisson(rng, now-40*336*day, now, 1./336)}},
		{"1 a second for six hours, at once", 2, 0, [][]records.Millis{burst(now)}},
		{"the same after 5 a day", 2, 0, [][]records.Millis{poisson(rng, now-60*day, now-hours(6), 5), burst(now)}},
		{"the same two hours later", 5, odd, [][]records.Millis{burst(now - odd)}},
		{"the same three days later", 5, 3*day + odd, [][]records.Millis{burst(now - 3*day - odd)}},
		{"the same a year later", 7, 340*day + odd, [][]records.Millis{burst(now - 340*day - odd)}},
		{"by day alone, 300 a day", 3, 0, [][]records.Millis{daytime(poisson(rng, now-40*day, now, 600))}},
		{"1,000 in a minute, at once", 4, 0, [][]records.Millis{poisson(rng, now-60_000, now, 1000*1440)}},
	} {
		s := newStream(t, c.times...)
		var got costs
		for i := range records.Millis(20) {
			at := now - c.ago - 57_000 + 3000*i
			s.until(at)
			got.add(s.page(t, records.Newest, at+c.ago))
		}
		got.log(t, c.name)
		if p95 := quantile(got.rounds, 0.95); p95 > c.limit {
			t.Errorf("%s: p95 of %d rounds, want %d", c.name, p95, c.limit)
		}
	}
}

// daytime drops what was posted in the first half of a day.
func daytime(times []records.Millis) []records.Millis {
	return slices.DeleteFunc(times, func(at records.Millis) bool { return at%day < day/2 })
}

// A whole timeline, page after page, costs little more than its buckets.
func TestWalk_endToEnd(t *testing.T) {
	now := records.MillisOf(noon)
	rng := rand.New(rand.NewPCG(7, 8))
	s := newStream(t, poisson(rng, now-700*day, now, 3), poisson(rng, now-100*day, now-99*day, 2000), poisson(rng, now-day, now, 500))
	s.until(now)
	var got costs
	before, shown := records.Newest, 0
	for {
		out := s.page(t, before, now)
		got.add(out)
		shown += len(out.page.Records)
		if !out.page.More {
			break
		}
		before = s.root.Position(out.page.Records[len(out.page.Records)-1])
	}
	if shown != len(s.records) {
		t.Errorf("%d posts of %d", shown, len(s.records))
	}
	got.log(t, fmt.Sprintf("%d posts, end to end", shown))
}

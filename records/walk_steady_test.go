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

// A reading is what one page cost.
type reading struct {
	rounds, places, records int
	page                    records.Page
}

// read walks one page of a tree.
func read(t *tree, root records.Place, before records.Position, now records.Millis, want int) (out reading) {
	w := records.NewWalk(t.network, root, before, now, want)
	for {
		queries := w.Ask()
		if len(queries) == 0 {
			out.page = w.Page()
			return out
		}
		out.rounds++
		out.places += len(queries)
		for _, q := range queries {
			b := t.bucket(q)
			out.records += len(b.Records) + len(b.Witnesses)
			w.Answer(b)
		}
	}
}

// traffic is posts with a tag, one author, times as given.
func traffic(t testing.TB, times []records.Millis) []*records.Record {
	author, head := person(0).User(), records.PostHead{Tags: []records.Tag{"steady"}}
	rs := make([]*records.Record, len(times))
	for i, at := range times {
		rs[i] = forge(t, testNet, author, draftPost(t, i, at, head))
	}
	return rs
}

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

// Steady traffic takes two rounds, quiet or dense.
func TestWalk_steadyRounds(t *testing.T) {
	root := records.TagPlace("steady")
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name   string
		perDay float64
		days   records.Millis
	}{
		{"10 a day", 10, 100}, {"30 a day", 30, 90}, {"100 a day", 100, 70}, {"1,000 a day", 1000, 40}, {"100,000 a month", 100_000. / 28, 40},
	} {
		end := records.MillisOf(noon)
		rs := traffic(t, poisson(rng, end-c.days*day, end, c.perDay))
		tr := newTree(testNet)
		var rounds, places, got []int
		i := 0
		for trial := range 300 {
			now := end - c.days*day/2 + c.days*day/2*records.Millis(trial)/300
			for ; i < len(rs) && rs[i].Created() < now; i++ {
				tr.put(root, rs[i])
			}
			out := read(tr, root, records.Newest, now, 50)
			want := slices.Clone(rs[i-50 : i])
			slices.Reverse(want)
			if !slices.Equal(out.page.Records, want) {
				t.Fatalf("%s: wrong page", c.name)
			}
			rounds, places, got = append(rounds, out.rounds), append(places, out.places), append(got, out.records)
		}
		t.Log(c.name, summary(rounds), summary(places), summary(got))
	}
}

func summary(v []int) string {
	slices.Sort(v)
	sum := 0
	for _, x := range v {
		sum += x
	}
	return fmt.Sprintf("mean %.2f p50 %d p95 %d max %d", float64(sum)/float64(len(v)), v[len(v)/2], v[len(v)*95/100], v[len(v)-1])
}

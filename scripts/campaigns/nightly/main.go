// Command nightly runs one seed after the other, over the model and over whole networks with all adversaries, until the night is over.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/starling-social/starling/scripts/internal/campaign"
)

// A night is how long and how much.
type night struct {
	long time.Duration // after which no run begins any more
	runs int           // and after so many; 0 for as many as there is time for
}

func main() {
	n := night{}
	campaign.Main("nightly", func(ctx context.Context, c *campaign.Campaign) error { return n.run(ctx, c) }, func(f *flag.FlagSet) {
		f.DurationVar(&n.long, "for", 8*time.Hour, "how `long` runs begin; --quick is 10s")
		f.IntVar(&n.runs, "runs", 0, "how `many` runs at most; 1 with the seed of a run that failed is that run again")
	})
}

// townEvery is how many runs there are for each that is a town: it takes as long as
// some ten worlds.
const townEvery = 8

// quickly is how long a quick night is: what has begun by then has some time left.
const quickly = 10 * time.Second

// A result is what came of one seed.
type result struct {
	seed    uint64
	kind    string
	virtual time.Duration
	twice   bool // it was run a second time, and went the same way
	took    time.Duration
	err     error
}

// run has as many seeds under way as there are processors, and tells of each that
// failed, by a seed that brings it back.
func (n night) run(ctx context.Context, c *campaign.Campaign) error {
	if c.Quick {
		n.long = quickly
	}
	c.Table("seed", "kind", "virtual time", "took", "what is wrong")
	counts, virtual := map[string]int{}, time.Duration(0)
	failed, twice, last := 0, 0, time.Now()
	for r := range n.results(ctx, c) {
		counts[r.kind]++
		virtual += r.virtual
		if r.twice {
			twice++
		}
		switch {
		case ctx.Err() != nil:
		case r.err != nil:
			failed++
			c.Row(r.seed, r.kind, r.virtual, r.took.Round(time.Millisecond), r.err)
		case time.Since(last) > time.Minute || c.Quick:
			last = time.Now()
			c.Row(r.seed, r.kind, r.virtual, r.took.Round(time.Millisecond), "")
		}
	}
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.Canceled) {
		return context.Cause(ctx)
	}
	c.Figure("worlds", counts[aWorld])
	c.Figure("towns", counts[aTown])
	c.Figure("virtual_hours", virtual.Hours())
	c.Figure("run_twice_and_the_same", twice)
	c.AtLeast("runs", float64(counts[aWorld]+counts[aTown]), 1)
	c.AtMost("failed", float64(failed), 0)
	return nil
}

// results runs seeds from the first on, and closes what it returns when all are done.
func (n night) results(ctx context.Context, c *campaign.Campaign) <-chan result {
	of := wholeTown
	if c.Quick {
		of = smallTown
	}
	out, end := make(chan result), time.Now().Add(n.long)
	var mu sync.Mutex // protects begun
	begun := uint64(0)
	next := func() (seed uint64, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil || !time.Now().Before(end) || n.runs > 0 && begun == uint64(n.runs) {
			return 0, false
		}
		begun++
		return c.Seed + begun - 1, true
	}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed, ok := next(); ok; seed, ok = next() {
				out <- try(ctx, seed, of)
			}
		})
	}
	go func() {
		workers.Wait()
		close(out)
	}()
	return out
}

// try is one seed, which decides all of it.
func try(ctx context.Context, seed uint64, of size) (r result) {
	began := time.Now()
	r.seed = seed
	if seed%townEvery == 0 {
		r.kind = aTown
		r.virtual, r.err = town(ctx, seed, of)
	} else {
		r.kind = aWorld
		r.virtual, r.twice, r.err = world(ctx, seed)
	}
	if r.err != nil {
		r.err = fmt.Errorf("%w; again with --seed %d --runs 1", r.err, seed)
	}
	r.took = time.Since(began)
	return r
}

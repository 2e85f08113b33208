package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// timings are how long things took.
type timings []time.Duration

// at is a quantile, by nearest rank; 0 of nothing.
func (t timings) at(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// repeat has callers do something, times in all, each one thing after the other.
func (p *process) repeat(ctx context.Context, callers, times int, do func(context.Context) error) (timings, time.Duration, error) {
	left := make(chan struct{}, times)
	for range times {
		left <- struct{}{}
	}
	close(left)
	return together(ctx, callers, func(ctx context.Context) (bool, error) {
		if _, more := <-left; !more {
			return false, nil
		}
		return true, do(ctx)
	})
}

// during has callers ask for something as often as they can, for a while.
func (p *process) during(ctx context.Context, callers int, lasts time.Duration, path string) (timings, time.Duration, error) {
	end := time.Now().Add(lasts)
	return together(ctx, callers, func(ctx context.Context) (bool, error) {
		if time.Now().After(end) {
			return false, nil
		}
		return true, p.do(ctx, http.MethodGet, path, "")
	})
}

// together has callers do something until it is not to be done again.
func together(ctx context.Context, callers int, do func(context.Context) (bool, error)) (all timings, took time.Duration, err error) {
	var mu sync.Mutex // protects all
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range callers {
		group.Go(func() error {
			var mine timings
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, mine...)
			}()
			for {
				at := time.Now()
				more, err := do(ctx)
				if !more || err != nil {
					return err
				}
				mine = append(mine, time.Since(at))
			}
		})
	}
	err = group.Wait()
	return all, time.Since(began), err
}

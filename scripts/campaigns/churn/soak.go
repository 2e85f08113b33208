package main

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/scripts/internal/model"
)

// A trial is one world and what happens to it.
type trial struct {
	name   string
	world  model.Config
	long   time.Duration
	happen func(*model.World)
}

// try runs trials, as many at once as there are processors, and shows what each came
// to, in their order.
func (p *proof) try(ctx context.Context, trials []trial) ([]outcome, error) {
	out := make([]outcome, len(trials))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, t := range trials {
		g.Go(func() (err error) {
			w := model.New(t.world)
			w.Plant()
			t.happen(w)
			out[i], err = watch(ctx, w, t.long)
			return err
		})
	}
	return out, g.Wait()
}

// show is a table of trials, with the bars that nothing is lost and that nearly
// everything can be read at any time.
func (p *proof) show(ctx context.Context, what string, trials []trial) error {
	p.Table(append([]string{what}, columns...)...)
	out, err := p.try(ctx, trials)
	if err != nil {
		return err
	}
	for i, t := range trials {
		p.Row(append([]any{t.name}, out[i].cells()...)...)
		p.AtMost("lost, "+t.name, float64(out[i].lost), 0)
		p.AtLeast("read, "+t.name, out[i].mean, 0.9999)
	}
	return nil
}

// soak is the worst that is promised for: half of the nodes leave in two hours, for
// days, and bring nothing back; and what is usual, that half of those who come were
// there before.
func (p *proof) soak(ctx context.Context) error {
	world := p.chosen(p.Size(2_000, 300), p.Size(4_000, 600))
	long := time.Duration(p.Size(72, 3)) * time.Hour
	churn := func(returning float64) func(*model.World) {
		return func(w *model.World) { w.Begin(model.Churn{HalfLife: halfLife, Returning: returning}) }
	}
	return p.show(ctx, "days of churn", []trial{
		{name: "nobody returns", world: world, long: long, happen: churn(0)},
		{name: "half of them return", world: world, long: long, happen: churn(0.5)},
	})
}

// faults is churn and something else besides.
func (p *proof) faults(ctx context.Context) error {
	world := p.chosen(p.Size(400, 200), p.Size(800, 400))
	long := time.Duration(p.Size(20, 2)) * time.Hour // three times six and what follows
	churn := model.Churn{HalfLife: halfLife}
	large := world
	large.KeyBytes = 1 << 30 / (28 * large.Keys / large.Nodes) // 28 hold a key
	return p.show(ctx, "churn, and besides", []trial{
		{name: "one in twenty is deaf", world: world, long: long, happen: func(w *model.World) {
			w.Deafen(0.05)
			w.Begin(churn)
		}},
		{name: "a fifth vanishes every 6 h", world: world, long: long, happen: func(w *model.World) {
			w.Begin(churn)
			w.KillEvery(6*time.Hour, 0.2, churn)
		}},
		{name: "a fifth flaps, 5 min each", world: world, long: long, happen: func(w *model.World) {
			w.Flap(0.2, 5*time.Minute)
			w.Begin(churn)
		}},
		{name: "a node's share is 1 GiB", world: large, long: long, happen: func(w *model.World) { w.Begin(churn) }},
	})
}

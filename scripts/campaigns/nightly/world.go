package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/model"
)

const aWorld = "world"

// twiceEvery is how many worlds there are for each that is run twice.
const twiceEvery = 10

// A fate is what happens to a world.
type fate struct {
	config model.Config
	churn  model.Churn
	deaf   float64       // share of nodes
	flap   float64       // share, for
	each   time.Duration // up and down
	kill   float64       // share, every
	every  time.Duration
	long   time.Duration
	kept   bool // it is no worse than what is promised to keep everything
}

// fateOf is drawn from a seed: half of all worlds are no worse than what is promised for,
// in the others anything may be lost, and nothing may appear from nothing.
func fateOf(seed uint64) fate {
	r := rand.New(rand.NewPCG(seed, 1))
	f := fate{
		config: model.Config{
			Seed: seed, Nodes: 60 + r.IntN(240), Keys: 100 + r.IntN(400),
			Neighbourhood: records.MainNetwork().Params.Neighbourhood,
			Interval:      node.Default().HealInterval, MendRate: node.Default().MendRate,
		},
		churn: model.Churn{HalfLife: 2 * time.Hour},
		long:  time.Duration(2+r.IntN(4)) * time.Hour,
		kept:  r.IntN(2) == 0,
	}
	if r.IntN(2) == 0 {
		f.churn.Returning = r.Float64()
	}
	switch r.IntN(4) {
	case 0:
		f.deaf = 0.05 * r.Float64()
	case 1:
		f.flap, f.each = 0.2*r.Float64(), time.Duration(2+r.IntN(10))*time.Minute
	case 2:
		f.kill, f.every = 0.2*r.Float64(), 2*time.Hour
	}
	if !f.kept {
		f.config.Neighbourhood = 2 + r.IntN(8)
		f.config.Interval = time.Duration(1+r.IntN(60)) * time.Minute
		f.config.Latency = time.Duration(1+r.IntN(400)) * time.Millisecond
		f.churn.HalfLife = time.Duration(10+r.IntN(110)) * time.Minute
		f.churn.Dwindling = r.IntN(4) == 0
		f.deaf = 0.2 * r.Float64()
	}
	return f
}

// world lets a world live, some of them twice, and looks whether it kept what it should.
func world(ctx context.Context, seed uint64) (virtual time.Duration, twice bool, err error) {
	f := fateOf(seed)
	w, err := f.live(ctx)
	if err != nil {
		return w.Now(), false, err
	}
	s := w.Sum()
	if got, want := w.Copies(), s.Planted+s.Received-s.Dropped-s.Died; got != want {
		return w.Now(), false, fmt.Errorf("%d copies, want %d: %+v", got, want, s)
	}
	if lost := w.Lost(); f.kept && lost > 0 {
		return w.Now(), false, fmt.Errorf("%d of %d keys are lost: %+v", lost, f.config.Keys, f)
	}
	if seed%twiceEvery != 1 {
		return w.Now(), false, nil
	}
	again, err := f.live(ctx)
	if err == nil && (again.Trace() != w.Trace() || again.Sum() != s) {
		err = fmt.Errorf("the same seed ran as %x and %x", w.Trace(), again.Trace())
	}
	return w.Now() + again.Now(), true, err
}

func (f fate) live(ctx context.Context) (*model.World, error) {
	w := model.New(f.config)
	w.Plant()
	if f.deaf > 0 {
		w.Deafen(f.deaf)
	}
	if f.flap > 0 {
		w.Flap(f.flap, f.each)
	}
	if f.kill > 0 {
		w.KillEvery(f.every, f.kill, f.churn)
	}
	w.Begin(f.churn)
	const look = 10 * time.Minute
	for end := w.Now() + f.long; w.Now() < end; w.Pass(look) {
		if ctx.Err() != nil {
			return w, context.Cause(ctx)
		}
	}
	return w, nil
}

package model_test

import (
	"math"
	"testing"
	"time"

	"github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/scripts/internal/model"
)

// busy is a world in which everything happens.
func busy(seed uint64) *model.World {
	w := model.New(model.Config{Seed: seed, Nodes: 120, Neighbourhood: 6, Keys: 200, Interval: 3 * time.Minute})
	w.Plant()
	w.Begin(model.Churn{HalfLife: 30 * time.Minute, Returning: 0.5})
	w.Flap(0.1, 5*time.Minute)
	w.Deafen(0.05)
	w.Pass(time.Hour)
	w.Kill(0.2, &model.Churn{HalfLife: 30 * time.Minute})
	w.Pass(time.Hour)
	return w
}

// One seed is one run, and another seed another.
func TestWorld_sameSeedSameRun(t *testing.T) {
	a, b, other := busy(1), busy(1), busy(2)
	if a.Trace() != b.Trace() || a.Sum() != b.Sum() {
		t.Errorf("the same seed ran twice as %x and %x, %+v and %+v", a.Trace(), b.Trace(), a.Sum(), b.Sum())
	}
	if a.Trace() == other.Trace() {
		t.Error("two seeds ran the same")
	}
}

// Nothing appears from nothing: copies are planted, received from who has one, dropped
// or die.
func TestWorld_conservation(t *testing.T) {
	w := busy(3)
	for range 100 {
		w.Join()
	}
	w.Pass(time.Hour)
	s := conserved(t, w)
	if s.Received == 0 || s.Died == 0 || s.Failed == 0 {
		t.Errorf("something never happened: %+v", s)
	}
}

func conserved(t *testing.T, w *model.World) model.Sum {
	t.Helper()
	s := w.Sum()
	if got, want := w.Copies(), s.Planted+s.Received-s.Dropped-s.Died; got != want {
		t.Errorf("%d copies, want %d: %+v", got, want, s)
	}
	return s
}

// What growing regions leave behind is dropped once its lease is over, and no sooner.
func TestWorld_lease(t *testing.T) {
	w := model.New(model.Config{Seed: 4, Nodes: 20, Neighbourhood: 4, Keys: 100, Interval: 3 * time.Minute})
	w.Plant()
	for range 20 {
		w.Join()
	}
	w.Pass(healing.LeaseOf(2)) // a region has at most halved
	if s := conserved(t, w); s.Dropped > 0 {
		t.Errorf("%d copies are dropped before their time", s.Dropped)
	}
	w.Pass(healing.LeaseOf(1))
	if s := conserved(t, w); s.Dropped == 0 {
		t.Error("no copy is dropped")
	}
}

// What nobody holds any more never comes back.
func TestWorld_goneForGood(t *testing.T) {
	w := model.New(model.Config{Seed: 6, Nodes: 40, Neighbourhood: 4, Keys: 100, Interval: time.Minute})
	w.Plant()
	w.Kill(1, nil)
	for range 20 {
		w.Join()
	}
	w.Pass(time.Hour)
	if w.Copies() > 0 || w.Readable() > 0 || w.Lost() != 100 {
		t.Errorf("after all died there are %d copies, %d of the keys are read", w.Copies(), w.Readable())
	}
}

// Without healing a key is lost when all that hold it die: f to the power of how many
// they are. Keys share holders, so what varies is the neighbourhoods: the mean of many
// runs is within five of its standard errors.
func TestWorld_lossIsArithmetic(t *testing.T) {
	const runs, f = 40, 0.6
	var sum, squares float64
	for seed := range uint64(runs) {
		w := model.New(model.Config{Seed: seed, Nodes: 128, Neighbourhood: 4, Keys: 256})
		w.Plant()
		expected := w.Expected(f)
		w.Kill(f, nil)
		d := float64(w.Lost()) - expected
		sum += d
		squares += d * d
		if w.Readable() > len(w.Holders())-w.Lost() {
			t.Fatal("what nobody holds is read")
		}
	}
	mean := sum / runs
	if err := math.Sqrt((squares/runs - mean*mean) / runs); math.Abs(mean) > 5*err {
		t.Errorf("%.2f keys more than arithmetic lost, standard error %.2f", mean, err)
	}
}

// After a part of the network died, healing brings every key that is left back to all
// that are to hold it; without healing it does not.
func TestWorld_heals(t *testing.T) {
	for _, interval := range []time.Duration{0, 3 * time.Minute} {
		w := model.New(model.Config{Seed: 4, Nodes: 200, Neighbourhood: 8, Keys: 300, Interval: interval})
		w.Plant()
		if n := w.Lacking(); n > 0 {
			t.Fatalf("%d copies are missing at the beginning", n)
		}
		w.Kill(0.4, nil)
		w.Pass(time.Hour)
		if n := w.Lacking(); (n > 0) != (interval == 0) {
			t.Errorf("healing every %s, %d copies are missing", interval, n)
		}
		if w.Lost() > 0 {
			t.Errorf("%d keys are lost", w.Lost())
		}
	}
}

// Who joins has all that it is to hold when it answers.
func TestWorld_joins(t *testing.T) {
	w := model.New(model.Config{Seed: 5, Nodes: 60, Neighbourhood: 6, Keys: 200, Interval: time.Hour})
	w.Plant()
	n := w.Join()
	for range 600 {
		if w.Filled(n) {
			break
		}
		w.Pass(time.Second)
	}
	if !w.Filled(n) || w.Lacking() > 0 {
		t.Errorf("filled %t, %d copies are missing", w.Filled(n), w.Lacking())
	}
}

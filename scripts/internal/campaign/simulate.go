package campaign

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Simulation is one stretch of virtual time in a campaign. It stands for the test
// that package nodetest asks for: what fails there ends the simulation with an
// error, and what is to be cleaned up is, before [Simulate] returns. Its methods
// are safe for concurrent use.
type Simulation struct {
	mu       sync.Mutex // protects all below
	errs     []error
	cleanups []func()
}

// lookOut is how often, in virtual time, a simulation looks whether it should end: a
// virtual month is two million looks, which is some seconds.
const lookOut = time.Second

// Simulate calls run in virtual time: timers go off as soon as nothing is left to
// do, and no time passes while anything is. What run starts has to end before it
// returns, or by a cleanup.
//
// The end of ctx, which comes in real time, ends the context that run is given:
// nothing in there may wait for ctx itself, because virtual time would wait too.
// Work that takes no virtual time has to look at ctx.Err() now and then.
func Simulate(ctx context.Context, run func(context.Context, *Simulation) error) error {
	s := &Simulation{}
	s.bubble(func() { s.conduct(ctx, run) })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(s.errs...)
}

// bubble calls f in virtual time and notes what of it does not end. Of its test a
// bubble needs no more than that it does not fail: s sees to failures.
func (s *Simulation) bubble(f func()) {
	defer func() {
		if left := recover(); left != nil {
			s.Errorf("virtual time: %v", left)
		}
	}()
	synctest.Test(new(testing.T), func(*testing.T) { f() })
}

func (s *Simulation) conduct(outer context.Context, run func(context.Context, *Simulation) error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go pass(ctx, cancel, outer.Err)
	ended := make(chan struct{})
	go func() { // one that Fatalf can end
		defer close(ended)
		if err := run(ctx, s); err != nil {
			s.fail(err)
		}
	}()
	<-ended
	s.cleanUp()
}

// pass ends ctx once over tells an error.
func pass(ctx context.Context, cancel context.CancelCauseFunc, over func() error) {
	tick := time.NewTicker(lookOut)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := over(); err != nil {
				cancel(err)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (s *Simulation) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

func (s *Simulation) cleanUp() {
	for {
		s.mu.Lock()
		last := len(s.cleanups) - 1
		if last < 0 {
			s.mu.Unlock()
			return
		}
		f := s.cleanups[last]
		s.cleanups = s.cleanups[:last]
		s.mu.Unlock()
		f()
	}
}

// Helper does nothing: errors tell what failed, not where.
func (s *Simulation) Helper() {}

// Errorf notes a failure and goes on.
func (s *Simulation) Errorf(format string, args ...any) { s.fail(fmt.Errorf(format, args...)) }

// Fatalf notes a failure and ends the goroutine that calls it, which should be
// that of the simulation.
func (s *Simulation) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	runtime.Goexit()
}

// Cleanup has f called when the simulation ends, the last given first.
func (s *Simulation) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

package datastore

import (
	"context"
	"math"
	"sync/atomic"

	"github.com/starling-social/starling/records"
)

// Bounds of what is under way. A full queue makes callers wait.
const (
	maxQueue = 1024 // requests, each of at most maxPuts
	maxGroup = 512  // puts after which a group takes no more, at about 20 µs each
)

// A request is one caller's part of a group.
type request struct {
	weight    int                // puts, or what costs as much
	stage     func(*group) error // on the committer; an error leaves the group as it was
	withdrawn atomic.Bool        // the caller has gone: do not begin
	done      chan error         // holds one
}

// submit queues a step for the committer.
func (s *Store) submit(ctx context.Context, weight int, stage func(*group) error) (*request, error) {
	req := &request{weight: weight, stage: stage, done: make(chan error, 1)}
	select {
	case <-s.closing:
		return nil, ErrClosed
	default:
	}
	select {
	case s.queue <- req:
		return req, nil
	case <-s.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// await returns when the step is on disk.
func (s *Store) await(ctx context.Context, req *request) error {
	select {
	case err := <-req.done:
		return err
	case <-ctx.Done():
		req.withdrawn.Store(true)
		return ctx.Err()
	case <-s.stopped:
	}
	select {
	case err := <-req.done:
		return err
	default:
		return ErrClosed // it was still in the queue
	}
}

// do is one step from end to end.
func (s *Store) do(ctx context.Context, stage func(*group) error) error {
	req, err := s.submit(ctx, 1, stage)
	if err != nil {
		return err
	}
	return s.await(ctx, req)
}

// A flight is a group that readers see and that may not be on disk yet.
type flight struct {
	durable  func() error
	requests []*request
}

// commit is the committer: the one goroutine that changes the store. While one
// group is being synced it works out the next, which takes in whoever comes until
// the disk is free again.
//
// A group sees what the one before it wrote, synced or not. That is safe because
// acknowledge answers in the same order: whoever is told of something in the
// answer to his request is told after it is on disk.
func (s *Store) commit() {
	defer close(s.flights)
	for {
		select {
		case <-s.closing:
			return
		case <-s.landed:
			s.flying = false
		case <-s.alarmed:
			_ = s.revive() // whoever writes next is told
		case req := <-s.queue:
			if err := s.revive(); err != nil {
				req.done <- err
				continue
			}
			view, err := s.kv.snapshot()
			if err != nil {
				req.done <- err
				continue
			}
			g := s.gather(view, req)
			view.close()
			s.flights <- s.apply(g)
			s.flying = true
		}
	}
}

// acknowledge answers callers once their group is on disk, in order. The
// committer is told first: the disk should not wait.
func (s *Store) acknowledge() {
	defer close(s.stopped)
	for f := range s.flights {
		err := f.durable()
		s.landed <- struct{}{}
		for _, req := range f.requests {
			req.done <- err
		}
	}
}

// gather makes a group of the first request and of those that come until the
// disk is free, and its batch.
func (s *Store) gather(view snapshot, first *request) *group {
	g := s.newGroup(view)
	g.take(first)
	for weight := first.weight; weight < maxGroup; {
		req := s.next()
		if req == nil {
			break
		}
		weight += req.weight
		g.take(req)
	}
	g.finish()
	return g
}

// next is a request that is queued, or that comes while a group is on its way to
// the disk; nil when there is none.
func (s *Store) next() *request {
	if s.flying {
		select {
		case req := <-s.queue:
			return req
		case <-s.closing:
			return nil
		case <-s.landed:
			s.flying = false
		}
	}
	select {
	case req := <-s.queue:
		return req
	default:
		return nil
	}
}

// apply applies the batch of the group once the group before is on disk.
func (s *Store) apply(g *group) flight {
	if s.flying {
		<-s.landed
	}
	durable, err := s.kv.apply(g.batch)
	if err != nil {
		s.shelves.Purge() // some are as the group would have left them
		return flight{func() error { return err }, g.requests}
	}
	s.install(g)
	s.press(g.space)
	return flight{durable, g.requests}
}

// take stages a request in the group.
func (g *group) take(req *request) {
	if req.withdrawn.Load() {
		return
	}
	if err := req.stage(g); err != nil {
		req.done <- err
		return
	}
	g.requests = append(g.requests, req)
}

func (s *Store) newGroup(view snapshot) *group {
	s.batch.reset()
	space, err := s.kv.space()
	if err != nil {
		space = diskSpace{free: math.MaxInt64} // the write itself will say what is wrong
	}
	return &group{
		store:   s,
		view:    view,
		items:   map[records.ItemKey]*item{},
		shelves: map[records.Coordinate]*shelf{},
		sums:    map[records.Coordinate]sumChange{},
		damaged: map[records.ItemKey][]byte{},
		aside:   map[records.ItemKey]int{},
		node:    map[string]int{},
		stats:   s.Stats(),
		space:   space,
		batch:   &s.batch,
	}
}

// install makes an applied group what the next one starts from.
func (s *Store) install(g *group) {
	s.sums.apply(g.sums)
	s.stats.Store(&g.stats)
	for key, size := range g.aside {
		if size == 0 {
			delete(s.aside, key)
		} else {
			s.aside[key] = size
		}
	}
	if len(g.harmed) > 0 {
		s.harm(Harm{Places: g.harmed})
	}
	for at, sh := range g.shelves {
		s.shelves.Add(at, sh)
	}
}

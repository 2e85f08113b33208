package datastore

import (
	"context"
	"sync/atomic"

	"github.com/starling-social/starling/records"
)

// Bounds of what is under way. A full queue makes callers wait, and so does a
// slow disk: what waits meanwhile goes into one larger group, with one sync.
const (
	maxQueue  = 1024 // requests, each of at most maxPuts
	maxGroup  = 512  // puts in a group, at about 20 µs each
	maxFlight = 2    // groups being synced while the next is made
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

// commit is the committer: the one goroutine that changes the store. It makes
// group after group while those before are still being synced.
//
// A group sees what the groups before it wrote, synced or not. That is safe
// because acknowledge answers in the same order: whoever is told of something
// in his group's answer is told after it is on disk.
func (s *Store) commit() {
	defer close(s.flights)
	for {
		select {
		case <-s.closing:
			return
		case req := <-s.queue:
			s.flights <- s.write(s.gather(req))
		}
	}
}

// acknowledge answers callers once their group is on disk, in order.
func (s *Store) acknowledge() {
	defer close(s.stopped)
	for f := range s.flights {
		err := f.durable()
		for _, req := range f.requests {
			req.done <- err
		}
	}
}

// gather takes what else is waiting, as far as it fits into one group.
func (s *Store) gather(first *request) []*request {
	requests := []*request{first}
	for weight := first.weight; weight < maxGroup; {
		select {
		case req := <-s.queue:
			requests = append(requests, req)
			weight += req.weight
		default:
			return requests
		}
	}
	return requests
}

// write makes one batch of the requests and applies it.
func (s *Store) write(requests []*request) flight {
	view, err := s.kv.snapshot()
	if err != nil {
		return failed(requests, err)
	}
	defer view.close()
	g := s.newGroup(view)
	staged := requests[:0]
	for _, req := range requests {
		if req.withdrawn.Load() {
			continue
		}
		if err := req.stage(g); err != nil {
			req.done <- err
			continue
		}
		staged = append(staged, req)
	}
	g.finish()
	durable, err := s.kv.apply(g.batch)
	if err != nil {
		return failed(staged, err)
	}
	s.install(g)
	return flight{durable, staged}
}

func failed(requests []*request, err error) flight {
	return flight{func() error { return err }, requests}
}

func (s *Store) newGroup(view snapshot) *group {
	s.batch.reset()
	return &group{
		store:   s,
		view:    view,
		items:   map[records.ItemKey]*item{},
		shelves: map[records.Coordinate]*shelf{},
		sums:    map[uint16]sumChange{},
		damaged: map[records.ItemKey][]byte{},
		node:    map[string]int{},
		stats:   s.Stats(),
		batch:   &s.batch,
	}
}

// install makes an applied group what the next one starts from.
func (s *Store) install(g *group) {
	s.sums.apply(g.sums)
	s.stats.Store(&g.stats)
	for at, sh := range g.shelves {
		s.shelves.Add(at, sh)
	}
}

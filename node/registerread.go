package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/starling-social/starling/records"
)

// Register reads a register: the first verified version that a member shows, at once,
// and then each newer one as the others answer, until those who have not answered are
// unlikely to know better. A version may be a tombstone, or past its time. Where
// nothing stands it ends with [ErrNoRegister], where nobody answers with [ErrNoAnswer].
//
// Who takes the first version and goes is not the only one who profits: the others are
// heard out in the background, for as long as a member may take to answer, and given
// what they lack.
func (n *Node) Register(ctx context.Context, id records.RegisterID) iter.Seq2[*records.Record, error] {
	return func(yield func(*records.Record, error) bool) {
		if err := id.Check(); err != nil {
			yield(nil, err)
			return
		}
		s := &sighting{news: make(chan struct{}, 1)}
		if !n.tasks.start(ctx, n.config.FetchTimeout, func(ctx context.Context) { n.sight(ctx, id.Place(), s) }) {
			yield(nil, ErrStopped)
			return
		}
		var last *records.Record
		for {
			r, over, err := s.look()
			if r != last {
				last = r
				if !yield(r, nil) {
					return
				}
			}
			if over {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			select {
			case <-s.news:
			case <-ctx.Done():
				yield(nil, fmt.Errorf("read register: %w", ctx.Err()))
				return
			}
		}
	}
}

// ReadRegister is the version that stands in a register: the newest of all that
// members show or, with first, the one that is shown first. For the rest see
// [Node.Register].
func (n *Node) ReadRegister(ctx context.Context, id records.RegisterID, first bool) (last *records.Record, err error) {
	for r, err := range n.Register(ctx, id) {
		if err != nil {
			return nil, err
		}
		if last = r; first {
			break
		}
	}
	return last, nil
}

// Standing tells why a version of a register is not to be shown as what stands there:
// [ErrNoRegister] for a tombstone, records.ErrExpired past its time.
func (n *Node) Standing(r *records.Record) error {
	switch {
	case r.Deleted():
		return ErrNoRegister
	case r.Expired(records.MillisOf(n.now())):
		return records.ErrExpired
	default:
		return nil
	}
}

// sight asks the members of a register and notes what they show.
func (n *Node) sight(ctx context.Context, p records.Place, s *sighting) {
	found := make(chan struct{})
	n.tasks.start(ctx, n.config.FetchTimeout, func(ctx context.Context) { n.glimpse(ctx, p, s, found) })
	r := n.readings(ctx, []records.Query{registerQuery(p)})[0]
	close(found)
	r.heard = func(b records.Bucket) { s.saw(only(b)) }
	n.ask(ctx, []*reading{r})
	if len(r.full) == 0 || r.told() == 0 {
		s.end(errors.Join(ErrNoAnswer, r.err))
		return
	}
	all := r.union()
	n.repair(ctx, r, all)
	n.history.note(ctx, only(all))
	s.saw(only(all))
	s.end(nil)
}

// glimpse asks a few who may hold a register if all members are not found soon: one that
// hangs keeps these from being found, and nobody from a first version.
func (n *Node) glimpse(ctx context.Context, p records.Place, s *sighting, found <-chan struct{}) {
	select {
	case <-found:
		return
	case <-time.After(hedgeMin):
	}
	few, err := n.dht.Glimpse(ctx, p.Coordinate())
	if err != nil || len(few) == 0 {
		return
	}
	r := newReading(registerQuery(p), n.readOrder(few), nil)
	r.heard = func(b records.Bucket) { s.saw(only(b)) }
	n.ask(ctx, []*reading{r})
}

// sighting is what was seen of a register so far. It is safe for concurrent use.
type sighting struct {
	news chan struct{} // holds a token when something changed

	mu   sync.Mutex // protects what follows
	best *records.Record
	over bool
	err  error
}

func (s *sighting) saw(r *records.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r != nil && (s.best == nil || r.Wins(s.best)) {
		s.best = r
		s.tell()
	}
}

func (s *sighting) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over = true; s.best == nil {
		s.err = errors.Join(err)
		if err == nil {
			s.err = ErrNoRegister
		}
	}
	s.tell()
}

func (s *sighting) tell() {
	select {
	case s.news <- struct{}{}:
	default: // it was told, and has not looked yet
	}
}

func (s *sighting) look() (best *records.Record, over bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.best, s.over, s.err
}

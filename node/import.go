package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
)

// Imported is what became of the records of an archive.
type Imported struct {
	New     int64     // records that were not in the store, or only in older versions
	Had     int64     // records that were, or newer versions of them
	Refused int64     // records that did not pass, by themselves or at a place
	Reasons []Refusal // of the first ones
}

// Refusal is why a record was refused.
type Refusal struct {
	Record int64 // how manieth of the archive, from 1
	Err    error
}

// Records is how many records of the archive were dealt with.
func (i Imported) Records() int64 { return i.New + i.Had + i.Refused }

const (
	importBatch = 256 // records that are verified, and then merged, together
)

// MaxReasons is of how many refusals it is told why.
const MaxReasons = 3

// ErrOtherNetwork means that an archive is of another network than the store.
var ErrOtherNetwork = errors.New("archive is of another network")

// Import merges an archive into the store. Each record passes the door; one that
// does not is counted, and the others go on. Records of places where nothing was
// get there for whom the archive says, but the owner's, which are known by their
// signatures.
//
// It may be done again, in whole or from a beginning that was cut, and then changes
// nothing, and goes on. What was merged before an error stays: damage to the archive
// is an [*archive.DamageError], a store without room [ErrFull]. In between, progress
// is told what has been done so far, unless it is nil.
func (s *Store) Import(ctx context.Context, from io.Reader, progress func(Imported)) (done Imported, err error) {
	r, err := archive.NewReader(from)
	if err != nil {
		return done, err
	}
	if r.Header().Network != s.network.ID() {
		return done, fmt.Errorf("%w: %q, not %s", ErrOtherNetwork, r.Header().Network, s.network.ID())
	}
	defer s.changed()
	for more := true; more; {
		var batch []archive.Entry
		batch, more, err = nextBatch(r)
		if failed := s.importBatch(ctx, batch, &done); failed != nil {
			return done, failed
		}
		if progress != nil {
			progress(done)
		}
	}
	return done, err
}

// nextBatch reads what is merged together. After an error there is no more.
func nextBatch(r *archive.Reader) (batch []archive.Entry, more bool, err error) {
	for len(batch) < importBatch {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return batch, false, nil
		}
		if err != nil {
			return batch, false, err
		}
		e.Bytes = append([]byte{}, e.Bytes...)
		batch = append(batch, e)
	}
	return batch, true, nil
}

// An arrival is one entry of a batch on its way into the store.
type arrival struct {
	entry  archive.Entry
	record *records.Record
	puts   map[datastore.Class][]records.Put
	known  bool // the store has this version or a newer one
	err    error
}

func (s *Store) importBatch(ctx context.Context, batch []archive.Entry, done *Imported) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	arrivals := make([]arrival, len(batch))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range arrivals {
		g.Go(func() error { arrivals[i] = s.arrival(batch[i]); return nil })
	}
	_ = g.Wait() // each has its own error
	for c := datastore.Cached; c <= datastore.Held; c++ {
		if err := s.mergeArrivals(ctx, c, arrivals); err != nil {
			return err
		}
	}
	for _, a := range arrivals {
		switch {
		case a.err != nil:
			done.Refused++
			if len(done.Reasons) < MaxReasons {
				done.Reasons = append(done.Reasons, Refusal{done.Records(), a.err})
			}
		case a.known:
			done.Had++
		default:
			done.New++
		}
	}
	return nil
}

// arrival opens an entry and finds its places.
func (s *Store) arrival(e archive.Entry) (a arrival) {
	a = arrival{entry: e, puts: map[datastore.Class][]records.Put{}}
	if a.record, a.err = s.open(e.Bytes, s.now()); a.err != nil {
		return a
	}
	for _, st := range e.Standings {
		p, err := st.Place(a.record)
		if err != nil {
			a.err = err
			return a
		}
		c, err := classOf(st.Class)
		if err != nil {
			a.err = err
			return a
		}
		a.puts[c] = append(a.puts[c], records.Put{Place: p, Record: a.record})
	}
	held, err := s.db.Record(a.record.ItemKey())
	a.known = err == nil && !a.record.Wins(held)
	return a
}

// mergeArrivals merges what is kept for one reason, and what turns out to belong
// further down, there. What the store refuses is the arrival's error, want of room
// that of all.
func (s *Store) mergeArrivals(ctx context.Context, c datastore.Class, arrivals []arrival) error {
	var puts []records.Put
	var of []*arrival
	for i := range arrivals {
		a := &arrivals[i]
		if a.err != nil {
			continue
		}
		for _, p := range a.puts[c] {
			puts, of = append(puts, p), append(of, a)
		}
	}
	for len(puts) > 0 {
		outcomes, err := s.db.MergeAs(ctx, c, puts)
		if err := blame(err, of); err != nil {
			return err
		}
		var deeper []records.Put
		var still []*arrival
		for i, o := range outcomes {
			below, err := s.below(puts[i], o)
			if err != nil {
				of[i].err = err
			} else if below.Record != nil {
				deeper, still = append(deeper, below), append(still, of[i])
			}
		}
		puts, of = deeper, still
	}
	return nil
}

// blame gives each refusal to whom it is about, and returns what is about nobody.
func blame(err error, of []*arrival) error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return err
	}
	for _, e := range joined.Unwrap() {
		var refused *datastore.PutError
		if !errors.As(e, &refused) || errors.Is(e, datastore.ErrFull) {
			return e
		}
		of[refused.Index].err = refused
	}
	return nil
}

// below is the put of a record one level further down, where it belongs and stands
// for nothing where it was put; of none otherwise.
func (s *Store) below(p records.Put, o records.Outcome) (records.Put, error) {
	child := p.Place.ChildFor(p.Record)
	if o.Status != records.Below || child == p.Place {
		return records.Put{}, nil
	}
	_, err := s.db.Holdings().Standing(p.Record.ItemKey(), []records.Coordinate{p.Place.Coordinate()})
	if errors.Is(err, datastore.ErrNotFound) {
		return records.Put{Place: child, Record: p.Record}, nil
	}
	return records.Put{}, err
}

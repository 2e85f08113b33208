package datastore

import (
	"context"
	"errors"
	"fmt"

	"github.com/starling-social/starling/records"
)

// maxPuts is how many puts of one caller go into one batch, so that none makes
// the others wait long: at about 20 µs each, a few milliseconds.
const maxPuts = 256

// Merge offers each record to its place, as [records.State] defines, and returns
// what became of it, in the order of puts, once all of that is on disk. A newer
// version of a thing replaces the one that is here in every place where it
// stands; an older one changes nothing, and where the thing does not stand yet
// the newer one is merged in its stead, and is what the outcome holds.
//
// A put that cannot be carried out, because the record does not fit the place or
// what is here cannot be read, stores nothing and does not disturb the others:
// its outcome has no status, and the error is or joins a [*PutError] for it.
// After any other error nothing is known: ctx ends the wait, not what is under way.
//
// What it takes in counts as [Held]; [Store.MergeAs] says otherwise. A put for which
// there is no room is one that cannot be carried out: its error is [ErrFull].
func (s *Store) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	return s.MergeAs(ctx, Held, puts)
}

// MergeAs is [Store.Merge] of what is kept for a reason. The places are of at least
// that class from then on, even where a put stores nothing.
func (s *Store) MergeAs(ctx context.Context, c Class, puts []records.Put) ([]records.Outcome, error) {
	if c >= Classes {
		return nil, fmt.Errorf("merge as %s: there is none such", c)
	}
	outcomes := make([]records.Outcome, len(puts))
	refused := make([]error, len(puts))
	var waiting []*request
	for from := 0; from < len(puts); from += maxPuts {
		to := min(from+maxPuts, len(puts))
		req, err := s.submit(ctx, to-from, mergeStep(c, from, puts[from:to], outcomes[from:to], refused[from:to]))
		if err != nil {
			return nil, fmt.Errorf("merge: %w", err)
		}
		waiting = append(waiting, req)
	}
	for _, req := range waiting {
		if err := s.await(ctx, req); err != nil {
			return nil, fmt.Errorf("merge: %w", err)
		}
	}
	return outcomes, errors.Join(refused...)
}

// An offer is a put with all that can be worked out before it is its turn.
type offer struct {
	records.Put
	class Class
	at    records.Coordinate
	err   error
}

func mergeStep(c Class, first int, puts []records.Put, outcomes []records.Outcome, refused []error) func(*group) error {
	offers := make([]offer, len(puts))
	for i, p := range puts {
		offers[i] = offer{Put: p, class: c, at: p.Place.Coordinate(), err: records.Fits(p.Record, p.Place)}
	}
	return func(g *group) error {
		for i, o := range offers {
			if o.err == nil {
				outcomes[i], o.err = g.merge(o)
			}
			if o.err != nil {
				refused[i] = &PutError{Index: first + i, Place: o.Place, Err: o.err}
			}
		}
		return nil
	}
}

// merge carries out one put.
func (g *group) merge(o offer) (records.Outcome, error) {
	it, err := g.item(o.Record.ItemKey())
	if err != nil {
		return records.Outcome{}, err
	}
	s, err := g.shelf(o.at, &o.Place)
	if err != nil {
		return records.Outcome{}, err
	}
	if err := g.raise(s, o.class); err != nil {
		return records.Outcome{}, err
	}
	if err := g.admit(s, it, o); err != nil {
		if out, below := g.below(s, o); below && !it.stands(s.at) && it.held() == nil {
			return out, nil
		}
		return records.Outcome{}, err
	}
	if err := g.settle(s, it, o.Record); err != nil {
		return records.Outcome{}, err
	}
	held := it.held()
	wins := held == nil || o.Record.Wins(held)
	if wins {
		if err := g.renew(it, o.Record); err != nil {
			return records.Outcome{}, err
		}
	}
	out, stands, err := g.standing(s, it, wins)
	if err != nil || stands {
		return out, err
	}
	waits := it.stands(s.at) // to be carried down: not taken back
	out, err = g.place(s, it)
	if err != nil || waits || !it.stands(s.at) || it.record.ID() == o.Record.ID() {
		return out, err
	}
	out.Held = it.record // newer than what was offered
	if out.Status == records.Stored {
		out.Status = records.Have
	}
	return out, nil
}

// settle takes away an entry whose record was lost to damage, before the record
// is offered again.
func (g *group) settle(s *shelf, it *item, r *records.Record) error {
	if it.stands(s.at) || !it.lost && !s.loaded {
		return nil
	}
	if err := s.load(g.view); err != nil {
		return err
	}
	g.drop(s, s.place.Position(r))
	return nil
}

// renew makes r the version of its thing in every place where it stands.
func (g *group) renew(it *item, r *records.Record) error {
	var shelves []*shelf
	for _, at := range it.at {
		s, err := g.loadedShelf(at)
		if errors.Is(err, errNoKey) {
			continue // the list of places is damaged; a read of the others will notice
		}
		if err != nil {
			return err
		}
		shelves = append(shelves, s)
	}
	for _, s := range shelves {
		e, found := s.entryAt(s.place.Position(r))
		if !found {
			continue
		}
		if e.counts() {
			g.discount(s, e)
		}
		e.id = r.ID()
		if e.counts() {
			g.count(s, e)
		}
		s.set(e)
	}
	it.record, it.dirty = r, it.dirty || len(it.at) > 0
	return nil
}

// standing is the outcome for a place of whose state the thing is a part already.
func (g *group) standing(s *shelf, it *item, renewed bool) (out records.Outcome, stands bool, err error) {
	if !it.stands(s.at) {
		return out, false, nil
	}
	out.Status = records.Have
	if s.full() { // else everything is in the bucket
		if err := s.load(g.view); err != nil {
			return out, false, err
		}
		e, found := s.entryAt(s.place.Position(it.record))
		if !found || !e.counts() {
			return records.Outcome{}, false, nil // no more than on its way down
		}
		if e.role != 0 {
			out = records.Outcome{Status: records.Below, Bound: s.bound()}
		}
	}
	switch {
	case !renewed:
		out.Held = it.record
	case out.Status == records.Have:
		out.Status = records.Stored
	}
	return out, true, nil
}

// place finds the thing its place in a state that it is not part of.
func (g *group) place(s *shelf, it *item) (records.Outcome, error) {
	e := entry{pos: s.place.Position(it.record), id: it.record.ID()}
	if !s.full() {
		g.add(s, it, e)
		s.bucket++
		return records.Outcome{Status: records.Stored}, nil
	}
	if err := s.load(g.view); err != nil {
		return records.Outcome{}, err
	}
	if i, _ := s.search(e.pos); i >= s.bucket {
		return g.testify(s, it, e)
	}
	return g.displace(s, it, e)
}

// testify makes the thing its child's witness if it is the smallest there. One
// that is on its way down never is: when a witness goes, elect sees to that.
func (g *group) testify(s *shelf, it *item, e entry) (records.Outcome, error) {
	out := records.Outcome{Status: records.Below, Bound: s.bound()}
	e.child = s.place.ChildFor(it.record).Coordinate()
	w, found := s.witnessOf(e.child)
	if found && w.pos.Compare(e.pos) < 0 {
		return out, nil
	}
	if found {
		r, err := g.recordAt(s, w)
		if err != nil {
			return records.Outcome{}, err
		}
		if r == nil {
			return g.place(s, it)
		}
		out.Displaced = []*records.Record{r}
		g.demote(s, w)
	}
	e.role = witness
	g.add(s, it, e)
	return out, nil
}

// displace puts the thing into a full bucket. The largest there becomes its
// child's witness: it is smaller than all of the rest.
func (g *group) displace(s *shelf, it *item, e entry) (records.Outcome, error) {
	last := s.entries[s.bucket-1]
	r, err := g.recordAt(s, last)
	if err != nil {
		return records.Outcome{}, err
	}
	if r == nil {
		return g.place(s, it)
	}
	gone := []*records.Record{r}
	last.child = s.place.ChildFor(r).Coordinate()
	if w, found := s.witnessOf(last.child); found {
		r, err := g.recordAt(s, w)
		if err != nil {
			return records.Outcome{}, err
		}
		if r == nil {
			return g.place(s, it)
		}
		gone = []*records.Record{r, gone[0]}
		g.demote(s, w)
	}
	last.role = witness | displaced
	s.set(last)
	g.add(s, it, e)
	return records.Outcome{Status: records.Stored, Displaced: gone}, nil
}

// recordAt is the record of an entry; nil if it is damaged, and then the entry
// is gone too and the place not as it was.
func (g *group) recordAt(s *shelf, e entry) (*records.Record, error) {
	it, err := g.item(e.pos.Key)
	if err != nil {
		return nil, err
	}
	if it.held() == nil {
		g.drop(s, e.pos)
	}
	return it.held(), nil
}

// add puts an entry that is part of the state into a place.
func (g *group) add(s *shelf, it *item, e entry) {
	s.set(e)
	g.count(s, e)
	it.add(s.at)
}

// demote makes a witness that is no longer the smallest wait to be carried down.
func (g *group) demote(s *shelf, w entry) {
	g.discount(s, w)
	w.role = displaced
	s.set(w)
}

// drop takes an entry out of a loaded place, and lets others move up.
func (g *group) drop(s *shelf, pos records.Position) {
	i, found := s.search(pos)
	if !found {
		return
	}
	e := s.entries[i]
	if e.counts() {
		g.discount(s, e)
	}
	s.remove(pos)
	switch {
	case i < s.bucket:
		s.bucket--
		g.promote(s)
	case e.role&witness != 0:
		g.elect(s, e.child)
	}
}

// promote takes the smallest of the rest into a bucket that has room.
func (g *group) promote(s *shelf) {
	if len(s.rest()) == 0 {
		return
	}
	e := s.rest()[0]
	child := e.child
	if !e.counts() {
		g.count(s, e)
	}
	e.role, e.child = 0, records.Coordinate{}
	s.set(e)
	s.bucket++
	g.elect(s, child)
}

// elect makes the smallest of a child's entries its witness.
func (g *group) elect(s *shelf, child records.Coordinate) {
	e, found := s.heir(child)
	if !found {
		return
	}
	if !e.counts() {
		g.count(s, e)
	}
	e.role |= witness
	s.set(e)
}

package records

import "slices"

// State is what a replica of one place ends in: a function of the set of records
// it has seen, whatever their order. Of the versions of one thing the winner
// counts. The smallest Capacity positions are the bucket; of the rest, the
// smallest for each child is that child's witness.
//
// "The n smallest of a union" is a semilattice, so states merge commutatively,
// associatively and idempotently. State is the definition, kept in memory; what
// package datastore does on disk is tested against it.
type State struct {
	place     Place
	capacity  int
	bucket    []*Record // ascending by position
	witnesses map[Place]*Record
}

// NewState is the empty state of p.
func NewState(n Network, p Place) *State {
	return &State{place: p, capacity: n.Capacity(p), witnesses: map[Place]*Record{}}
}

// Merge takes r, which must fit the place, into the state.
func (s *State) Merge(r *Record) Outcome {
	i := s.search(r)
	child := s.place.ChildFor(r)
	switch w := s.witnesses[child]; {
	case i < len(s.bucket) && s.bucket[i].key == r.key:
		if !r.Wins(s.bucket[i]) {
			return Outcome{Status: Have, Held: s.bucket[i]}
		}
		s.bucket[i] = r
		return Outcome{Status: Stored}
	case w != nil && w.key == r.key:
		if !r.Wins(w) {
			return Outcome{Status: Below, Held: w, Bound: s.Bound()}
		}
		s.witnesses[child] = r
		return Outcome{Status: Below, Bound: s.Bound()}
	case len(s.bucket) < s.capacity:
		s.bucket = slices.Insert(s.bucket, i, r)
		return Outcome{Status: Stored}
	case i == len(s.bucket):
		return Outcome{Status: Below, Bound: s.Bound(), Displaced: s.testify(r)}
	default:
		last := s.bucket[len(s.bucket)-1]
		s.bucket = slices.Insert(s.bucket[:len(s.bucket)-1], i, r)
		return Outcome{Status: Stored, Displaced: append(s.testify(last), last)}
	}
}

// testify makes r, which is not in the bucket, its child's witness if it is the
// smallest, and returns the witness that it took the place of. That one was
// perhaps put here before its writer failed, so it too has to be carried down.
func (s *State) testify(r *Record) []*Record {
	child := s.place.ChildFor(r)
	w := s.witnesses[child]
	switch {
	case w == nil:
		s.witnesses[child] = r
		return nil
	case s.place.Position(r).Compare(s.place.Position(w)) < 0:
		s.witnesses[child] = r
		return []*Record{w}
	default:
		return nil
	}
}

// search is where r stands, or would stand, in the bucket.
func (s *State) search(r *Record) int {
	pos := s.place.Position(r)
	i, _ := slices.BinarySearchFunc(s.bucket, pos, func(q *Record, pos Position) int {
		return s.place.Position(q).Compare(pos)
	})
	return i
}

// Bound is the largest position of a full bucket. It only ever moves down.
// Zero when the bucket is not full or holds nothing by right.
func (s *State) Bound() Position {
	if len(s.bucket) < s.capacity || s.capacity == 0 {
		return Position{}
	}
	return s.place.Position(s.bucket[len(s.bucket)-1])
}

// Bucket answers a query about the place.
func (s *State) Bucket(q Query) Bucket {
	b := Bucket{Place: s.place, Count: len(s.bucket), Full: len(s.bucket) == s.capacity}
	for _, w := range s.witnesses {
		b.Witnesses = append(b.Witnesses, w)
	}
	slices.SortFunc(b.Witnesses, func(v, w *Record) int { return s.place.Position(w).Compare(s.place.Position(v)) })
	for _, r := range slices.Backward(s.bucket) {
		if s.place.Position(r).Compare(q.Before) >= 0 {
			continue
		}
		if b.More = len(b.Records) == q.Limit; b.More {
			break
		}
		b.Records = append(b.Records, r)
	}
	b.Fingerprint = b.Sum()
	if q.Print {
		b.Records, b.Witnesses = nil, nil
	}
	return b
}

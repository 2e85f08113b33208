package records_test

import (
	"github.com/starling-social/starling/records"
)

// A tree is every place of some roots on one holder, written to as writers do:
// from the root down, carrying what was displaced.
type tree struct {
	network records.Network
	states  map[records.Place]*records.State
}

func newTree(n records.Network) *tree {
	return &tree{network: n, states: map[records.Place]*records.State{}}
}

func (t *tree) state(p records.Place) *records.State {
	s := t.states[p]
	if s == nil {
		s = records.NewState(t.network, p)
		t.states[p] = s
	}
	return s
}

// put carries r down from p.
func (t *tree) put(p records.Place, r *records.Record) {
	for {
		out := t.state(p).Merge(r)
		for _, d := range out.Displaced {
			t.put(p.ChildFor(d), d)
		}
		if out.Status != records.Below {
			return
		}
		p = p.ChildFor(r)
	}
}

// bucket is the answer of a holder, also of a place of which it has nothing.
func (t *tree) bucket(q records.Query) records.Bucket {
	if s := t.states[q.Place]; s != nil {
		return s.Bucket(q)
	}
	return records.NewState(t.network, q.Place).Bucket(q)
}

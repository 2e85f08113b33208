package nodetest

import (
	"context"
	"slices"
	"sync"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// FalseWitnesses shows beside the truth, for every child of a place, a witness that
// is none: a real record that belongs there or anywhere below, but stands above.
// It sends readers where nothing is, and makes writers believe that a
// place is known which is not.
func FalseWitnesses() Lie {
	return func(truth starling.ServedStore) starling.ServedStore {
		w := newHearsay()
		shown := showing(truth, w.testify)
		return told{merge: w.hear(truth.Merge), bucket: shown.Bucket}
	}
}

// hearsay is every record that was put to a node, by the roots it was put under.
type hearsay struct {
	mu   sync.Mutex // protects seen
	seen map[records.Place]map[records.ID]*records.Record
}

func newHearsay() *hearsay {
	return &hearsay{seen: map[records.Place]map[records.ID]*records.Record{}}
}

type merge = func(ctx context.Context, puts []records.Put) ([]records.Outcome, error)

// hear is next, and remembers what it is given.
func (h *hearsay) hear(next merge) merge {
	return func(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
		h.mu.Lock()
		for _, p := range puts {
			root := p.Place.Root()
			if h.seen[root] == nil {
				h.seen[root] = map[records.ID]*records.Record{}
			}
			h.seen[root][p.Record.ID()] = p.Record
		}
		h.mu.Unlock()
		return next(ctx, puts)
	}
}

// of are the records heard of that fit a place.
func (h *hearsay) of(p records.Place) (out []*records.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.seen[p.Root()] {
		if records.Fits(r, p) == nil {
			out = append(out, r)
		}
	}
	return out
}

// testify adds for every child the largest record heard of that is not shown for it.
func (h *hearsay) testify(q records.Query, b records.Bucket) records.Bucket {
	shown := map[records.ItemKey]bool{}
	for _, w := range b.Witnesses {
		shown[w.ItemKey()] = true
	}
	largest := map[records.Place]*records.Record{}
	for _, r := range h.of(q.Place) {
		child := q.Place.ChildFor(r)
		if l := largest[child]; !shown[r.ItemKey()] && (l == nil || q.Place.Position(r).Compare(q.Place.Position(l)) > 0) {
			largest[child] = r
		}
	}
	b.Witnesses = slices.Clone(b.Witnesses)
	for _, r := range largest {
		b.Witnesses = append(b.Witnesses, r)
	}
	slices.SortFunc(b.Witnesses, func(v, w *records.Record) int { return q.Place.Position(w).Compare(q.Place.Position(v)) })
	return b
}

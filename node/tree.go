package node

import (
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/starling-social/starling/records"
)

// tree remembers what a node has learnt of the trees of buckets: which places
// have records below them and where full buckets end. Both facts are for ever: a
// witnessed child stays witnessed, and a bound only moves down, so a remembered
// one is at worst too high, which costs a round and misplaces nothing. Because they
// are for ever, and a writer who believes in a witness that is none puts records
// where no reader looks, only what a majority of a place's members vouch for is
// remembered: a third of them may lie.
//
// It is safe for concurrent use.
type tree struct {
	network   records.Network
	witnessed *lru.Cache[records.Place, struct{}]
	bounds    *lru.Cache[records.Place, records.Position]
}

// treeSize is how many places of each fact are remembered; 150 bytes each.
const treeSize = 1 << 16

func newTree(n records.Network) *tree {
	witnessed, err := lru.New[records.Place, struct{}](treeSize)
	if err != nil {
		panic(err) // only for a size below 1
	}
	bounds, err := lru.New[records.Place, records.Position](treeSize)
	if err != nil {
		panic(err)
	}
	return &tree{network: n, witnessed: witnessed, bounds: bounds}
}

// deepest is the place at or below root to which r is best put first: every
// place above is known to be full before r, and the place itself to be witnessed
// by its parent.
func (t *tree) deepest(root records.Place, r *records.Record) records.Place {
	at := root
	for t.passes(at, r) {
		child := at.ChildFor(r)
		if _, ok := t.witnessed.Get(child); !ok || child == at {
			break
		}
		at = child
	}
	return at
}

// passes tells whether r is known to belong below p.
func (t *tree) passes(p records.Place, r *records.Record) bool {
	if t.network.Capacity(p) == 0 {
		return true
	}
	bound, ok := t.bounds.Get(p)
	return ok && p.Position(r).Compare(bound) > 0
}

// below notes that a majority of p's members say that r belongs below p, where it
// or an older record bears witness. The bound is the highest that any of them said:
// of a majority at least one tells the truth.
func (t *tree) below(p records.Place, r *records.Record, bound records.Position) {
	t.witnessed.Add(p.ChildFor(r), struct{}{})
	if bound == (records.Position{}) {
		return
	}
	if known, ok := t.bounds.Get(p); !ok || bound.Compare(known) < 0 {
		t.bounds.Add(p, bound)
	}
}

// saw notes which children a bucket shows witnesses of, that a majority of the
// place's members hold exactly so. What a single member shows may be a real record
// that is a witness nowhere else; readers go there in any case.
func (t *tree) saw(agreed records.Bucket) {
	for _, w := range agreed.Witnesses {
		t.witnessed.Add(agreed.Place.ChildFor(w), struct{}{})
	}
}

package nodetest

import (
	"context"
	"crypto/sha256"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/records"
)

// A bed is what belongs to one place for good: the bucket, and of the rest the
// smallest of each child, all in ascending order.
type bed struct {
	at   records.Coordinate
	puts []records.Put
}

// Plant stores records as if they had been published, the oldest first, and
// everything had come to rest: for each root the whole tree of buckets, on every
// running node that is a member of the place. It takes no virtual time and asks
// nobody, so that months of traffic are there at once. The roots must hold nothing
// yet, which is why all records of a root have to come with one call.
//
// Its time goes by records times members, some 20 microseconds of a core each, and
// so does its memory, about a kilobyte each. The context ends it early.
func (n *Network) Plant(ctx context.Context, rs []*records.Record) {
	n.t.Helper()
	n.PlantAt(ctx, rs, func(records.Place) bool { return true })
}

// PlantAt is Plant for those roots alone that are wanted.
func (n *Network) PlantAt(ctx context.Context, rs []*records.Record, wanted func(root records.Place) bool) {
	n.t.Helper()
	beds := n.layOut(rs, wanted)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(plantWidth)
	for _, x := range n.Running() {
		g.Go(func() error { return x.plant(ctx, beds, x.holds()) })
	}
	if err := g.Wait(); err != nil {
		n.t.Fatalf("plant %d records: %v", len(rs), err)
	}
}

// PlantOn is Plant of everything on one node alone, as if its region had been the whole
// ring until now.
func (n *Network) PlantOn(ctx context.Context, x *Node, rs []*records.Record) {
	n.t.Helper()
	all := func(records.Coordinate) bool { return true }
	if err := x.plant(ctx, n.layOut(rs, func(records.Place) bool { return true }), all); err != nil {
		n.t.Fatalf("plant %d records on node %d: %v", len(rs), x.Index, err)
	}
}

// plantWidth is how many stores are filled at once: their work is all processor's.
const plantWidth = 8

// layOut makes the trees of all roots that are wanted.
func (n *Network) layOut(rs []*records.Record, wanted func(records.Place) bool) (beds []bed) {
	winners := map[records.ItemKey]*records.Record{}
	for _, r := range rs {
		if w := winners[r.ItemKey()]; w == nil || r.Wins(w) {
			winners[r.ItemKey()] = r
		}
	}
	roots := map[records.Place][]*records.Record{}
	for _, r := range winners {
		for _, root := range r.Roots() {
			if wanted(root) {
				roots[root] = append(roots[root], r)
			}
		}
	}
	for root, rs := range roots {
		slices.SortFunc(rs, func(r, s *records.Record) int { return root.Position(r).Compare(root.Position(s)) })
		beds = n.dig(root, rs, beds)
	}
	return beds
}

// dig adds the beds of a place and of those below to beds. rs are all records that
// the place and those below hold, in ascending order.
func (n *Network) dig(p records.Place, rs []*records.Record, beds []bed) []bed {
	held := min(len(rs), n.network.Capacity(p))
	b := bed{at: p.Coordinate()}
	for _, r := range rs[:held] {
		b.puts = append(b.puts, records.Put{Place: p, Record: r})
	}
	below := map[records.Place][]*records.Record{}
	var children []records.Place
	for _, r := range rs[held:] {
		child := p.ChildFor(r)
		if below[child] == nil {
			children = append(children, child)
			b.puts = append(b.puts, records.Put{Place: p, Record: r})
		}
		below[child] = append(below[child], r)
	}
	beds = append(beds, b)
	for _, child := range children {
		if child != p { // at the ladder's end nothing can be split
			beds = n.dig(child, below[child], beds)
		}
	}
	return beds
}

// plantBatch is how many puts are merged at once.
const plantBatch = 256

// plant merges what a node is to hold into its store.
func (x *Node) plant(ctx context.Context, beds []bed, holds func(records.Coordinate) bool) error {
	var puts []records.Put
	for _, b := range beds {
		if !holds(b.at) {
			continue
		}
		if puts = append(puts, b.puts...); len(puts) >= plantBatch {
			if err := x.merge(ctx, puts); err != nil {
				return err
			}
			puts = puts[:0]
		}
	}
	return x.merge(ctx, puts)
}

func (x *Node) merge(ctx context.Context, puts []records.Put) error {
	outcomes, err := x.store.Merge(ctx, puts)
	if err != nil {
		return err
	}
	for i, out := range outcomes {
		if len(out.Displaced) > 0 {
			return &occupiedError{puts[i].Place}
		}
	}
	return nil
}

// An occupiedError says that a place held something before it was planted.
type occupiedError struct{ place records.Place }

func (e *occupiedError) Error() string { return e.place.String() + " is not empty" }

// holds tells which places are the node's to hold, as its neighbourhood is now.
func (x *Node) holds() func(records.Coordinate) bool {
	own, prefix := records.Coordinate(sha256.Sum256([]byte(x.PeerID()))), x.Status().Prefix
	return func(at records.Coordinate) bool { return !x.client && own.SharedBits(at) >= prefix }
}

// Holds tells whether the other node stands in the node's neighbourhood, as that is
// now. Everybody stands in their own.
func (x *Node) Holds(other *Node) bool {
	return records.Coordinate(sha256.Sum256([]byte(x.PeerID()))).SharedBits(sha256.Sum256([]byte(other.PeerID()))) >= x.Status().Prefix
}

package nodetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/starling-social/starling/records"
)

// Audit compares what every running member of every place holds with what it would
// hold had rs, and nothing else under the same roots, come to rest, and says what
// differs. Records on their way down do not count: see [Network.OnTheWay].
func (n *Network) Audit(rs []*records.Record) (differences []string) {
	n.t.Helper()
	want := map[records.Coordinate]records.Fingerprint{}
	places := map[records.Coordinate]records.Place{}
	roots := map[records.Place]bool{}
	for _, b := range n.layOut(rs, func(records.Place) bool { return true }) {
		for _, p := range b.puts {
			want[b.at] = want[b.at].Plus(records.Element(b.at, p.Record.ItemKey(), p.Record.ID()))
			places[b.at] = p.Place
			roots[p.Place.Root()] = true
		}
	}
	for _, x := range n.Running() {
		held := x.states(n.t, roots, places)
		holds := x.holds()
		for at, w := range want {
			if got := held[at]; holds(at) && got != w {
				differences = append(differences, fmt.Sprintf("node %d holds %d records at %s, want %d", x.Index, got.Count, places[at], w.Count))
			}
			delete(held, at)
		}
		for at, got := range held {
			if holds(at) {
				differences = append(differences, fmt.Sprintf("node %d holds %d records at %s, want none", x.Index, got.Count, places[at]))
			}
		}
	}
	return differences
}

// states are the fingerprints of all places under some roots that a node holds.
func (x *Node) states(t T, roots map[records.Place]bool, places map[records.Coordinate]records.Place) map[records.Coordinate]records.Fingerprint {
	t.Helper()
	held := map[records.Coordinate]records.Fingerprint{}
	for e, err := range x.store.All() {
		if err != nil {
			t.Fatalf("entries of node %d: %v", x.Index, err)
		}
		if roots[e.Place.Root()] {
			held[e.Coordinate] = held[e.Coordinate].Plus(records.Element(e.Coordinate, e.Key, e.ID))
			places[e.Coordinate] = e.Place
		}
	}
	return held
}

// OnTheWay is how many records running nodes keep only until they are carried down.
func (n *Network) OnTheWay() (sum int) {
	for _, x := range n.Running() {
		sum += int(x.store.Stats().Displaced)
	}
	return sum
}

// Entries is how many entries the node's store holds: a record at each place where
// it counts.
func (x *Node) Entries() int { return int(x.store.Stats().Entries) }

// Lose takes all that the node holds of a tree out of its store, as a disk may, and
// returns how many places that were.
func (x *Node) Lose(ctx context.Context, root records.Place) (int, error) {
	var lost []records.Place
	for e, err := range x.store.All() {
		if err != nil {
			return 0, err
		}
		if e.Place.Root() == root && !slices.Contains(lost, e.Place) {
			lost = append(lost, e.Place)
		}
	}
	return len(lost), x.store.Drop(ctx, lost)
}

// Verify reads all that is in the node's store and returns the first thing that is wrong.
func (x *Node) Verify() error { return x.store.Verify() }

// Outside is how many entries the node holds of places that lie just so many bits outside
// of its region: its prefix would have to be shorter by as many to cover them.
func (x *Node) Outside(away int) (n int) {
	own, prefix := records.Coordinate(sha256.Sum256([]byte(x.PeerID()))), x.Status().Prefix
	for e, err := range x.store.All() {
		if err == nil && own.SharedBits(e.Coordinate) == prefix-away {
			n++
		}
	}
	return n
}

// Strays is how many entries the node holds of places that lie outside of its region.
func (x *Node) Strays() (n int) {
	for away := range x.Status().Prefix {
		n += x.Outside(away + 1)
	}
	return n
}

package dht_test

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// world is what a pure search runs in: nodes with k-buckets, some of them dead,
// some of them liars.
type world struct {
	bucket int
	ids    []peer.ID // of the nodes, alive or dead
	dead   map[peer.ID]bool
	liars  map[peer.ID]bool
	tables map[peer.ID][]peer.ID // whom a node knows: its k-buckets
	asked  int
	pinged int
	merit  func(peer.ID) dht.Merit

	crowded func(dht.Frontier) // tells a search who crowds, where anybody does
}

func numbered(n int) peer.ID {
	return peer.ID(binary.BigEndian.AppendUint64([]byte("frontier node "), uint64(n)))
}

// newWorld makes nodes that know up to bucket others at each distance.
func newWorld(nodes, bucket int) *world {
	w := &world{bucket: bucket, dead: map[peer.ID]bool{}, liars: map[peer.ID]bool{}, tables: map[peer.ID][]peer.ID{}}
	for i := range nodes {
		w.ids = append(w.ids, numbered(i))
	}
	for _, id := range w.ids {
		filled := map[int]int{}
		for _, other := range w.ids {
			shared := dht.CoordinateOf(id).SharedBits(dht.CoordinateOf(other))
			if other != id && filled[shared] < bucket {
				filled[shared]++
				w.tables[id] = append(w.tables[id], other)
			}
		}
	}
	return w
}

// nearest sorts ids by their distance to target and keeps the first n.
func nearestOf(ids []peer.ID, target records.Coordinate, n int) []peer.ID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b peer.ID) int {
		return dht.Nearer(target, dht.CoordinateOf(a), dht.CoordinateOf(b))
	})
	return ids[:min(n, len(ids))]
}

// search runs a frontier from one node until it is over.
func (w *world) search(from peer.ID, target records.Coordinate, bits, limit int) (found []peer.ID, complete bool, f dht.Frontier) {
	f = dht.NewFrontier(target, bits, limit)
	f.Prefer(w.merit)
	if w.crowded != nil {
		w.crowded(f)
	}
	f.Add(nearestOf(w.tables[from], target, limit)...)
	for {
		var batch []peer.ID
		pings := map[peer.ID]bool{}
		for p, isPing, ok := f.Next(); ok; p, isPing, ok = f.Next() {
			batch = append(batch, p)
			pings[p] = isPing
		}
		if len(batch) == 0 {
			break
		}
		for _, p := range batch {
			w.answer(f, from, p, target, pings[p])
		}
	}
	found, complete = f.Found()
	return found, complete, f
}

// answer lets p answer from, or not.
func (w *world) answer(f dht.Frontier, from, p peer.ID, target records.Coordinate, isPing bool) {
	switch {
	case w.tables[p] == nil || w.dead[p]:
		f.Fail(p)
	case isPing:
		w.pinged++
		f.Answer(p, nil)
	case w.liars[p]:
		w.asked++
		var invented []peer.ID
		for i := range w.bucket {
			invented = append(invented, numbered(1<<30+w.asked*1000+i))
		}
		f.Answer(p, invented)
	default:
		w.asked++
		named := nearestOf(w.tables[p], target, w.bucket)
		f.Answer(p, slices.DeleteFunc(named, func(id peer.ID) bool { return id == from }))
	}
}

// members is the nodes alive in a region, nearest to target first, without from.
func (w *world) members(from peer.ID, target records.Coordinate, bits int) []peer.ID {
	var alive []peer.ID
	for _, id := range w.ids {
		if id != from && !w.dead[id] && target.SharedBits(dht.CoordinateOf(id)) >= bits {
			alive = append(alive, id)
		}
	}
	return nearestOf(alive, target, len(alive))
}

// From any node, one search finds all live members of a region that is not
// larger than an answer, and nobody else.
func TestFrontier_findsTheRegion(t *testing.T) {
	t.Parallel()
	const nodes, k = 400, 4
	bucket := dht.BucketSize(k)
	w := newWorld(nodes, bucket)
	rapid.Check(t, func(t *rapid.T) {
		clear(w.dead)
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, nodes-1), 0, nodes/5).Draw(t, "dead") {
			w.dead[w.ids[i]] = true
		}
		from := w.ids[rapid.IntRange(0, nodes-1).Draw(t, "from")]
		target := records.Coordinate(sha256.Sum256(binary.BigEndian.AppendUint64(nil, rapid.Uint64().Draw(t, "target"))))
		bits := 5
		for len(w.members(from, target, bits)) >= bucket {
			bits++
		}
		found, complete, f := w.search(from, target, bits, bucket)
		if want := w.members(from, target, bits); !slices.Equal(found, want) {
			t.Fatalf("region of %d bits: found %d, want %d", bits, len(found), len(want))
		}
		if !complete || f.InFlight() != 0 {
			t.Fatalf("complete %v with %d questions in flight", complete, f.InFlight())
		}
	})
}

// Where a region is larger than the limit the nearest are found, and it says so.
func TestFrontier_limit(t *testing.T) {
	t.Parallel()
	w := newWorld(300, 20)
	target := dht.CoordinateOf("somewhere")
	found, complete, _ := w.search(w.ids[0], target, 0, 20)
	if want := w.members(w.ids[0], target, 0)[:20]; !slices.Equal(found, want) {
		t.Errorf("found %d nodes which are not the nearest 20", len(found))
	}
	if complete {
		t.Error("20 of 300 are said to be all")
	}
}

// Once calm, members are no longer asked whom they know.
func TestFrontier_pingsOnceCalm(t *testing.T) {
	t.Parallel()
	w := newWorld(60, 64)
	found, complete, _ := w.search(w.ids[0], dht.CoordinateOf("somewhere"), 0, 64)
	if len(found) != 59 || !complete {
		t.Errorf("found %d of 59, complete %v", len(found), complete)
	}
	if w.asked > 3*dht.Calm || w.asked+w.pinged != 59 {
		t.Errorf("asked %d and pinged %d of 59", w.asked, w.pinged)
	}
}

// Liars that invent nodes cannot make a search grow without bound, nor hide what
// honest nodes name.
func TestFrontier_liars(t *testing.T) {
	t.Parallel()
	const nodes = 200
	w := newWorld(nodes, 20)
	for i := range nodes / 5 {
		w.liars[w.ids[5*i]] = true
	}
	target := dht.CoordinateOf("somewhere")
	bits := 4
	found, _, f := w.search(w.ids[1], target, bits, 20)
	if want := w.members(w.ids[1], target, bits); !slices.Equal(found, want) {
		t.Errorf("found %d members, want %d", len(found), len(want))
	}
	if f.Candidates() > 2*dht.MaxCandidates*20 {
		t.Errorf("the search remembers %d candidates", f.Candidates())
	}
}

// A region where nobody is ends when the nearest nodes of any have answered.
func TestFrontier_emptyRegion(t *testing.T) {
	t.Parallel()
	w := newWorld(50, 20)
	target := dht.CoordinateOf("somewhere")
	found, complete, _ := w.search(w.ids[0], target, 30, 20)
	if len(found) != 0 || !complete {
		t.Errorf("found %d, complete %v; want nobody, complete", len(found), complete)
	}
	if w.asked < dht.Lead {
		t.Errorf("asked only %d", w.asked)
	}
}

func TestFrontier_nobodyKnown(t *testing.T) {
	t.Parallel()
	f := dht.NewFrontier(records.Coordinate{}, 0, 20)
	if _, _, ok := f.Next(); ok {
		t.Error("asks somebody although nobody is known")
	}
	if found, complete := f.Found(); len(found) != 0 || !complete {
		t.Errorf("found %d, complete %v", len(found), complete)
	}
}

package nodetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"sync/atomic"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// A Lie makes of the store that a node would answer others from one that deceives
// them. The node is real in all else: it signs, routes, relays and asks as honest
// ones do, and its own reading of its store stays true. What a lie shows of records
// is real, for nobody can forge those.
//
// A store that only watches what is asked of it fits as well.
type Lie func(truth starling.ServedStore) starling.ServedStore

// Lies tells several at once: of what the first gives, the next makes worse.
func Lies(lies ...Lie) Lie {
	return func(s starling.ServedStore) starling.ServedStore {
		for _, l := range lies {
			s = l(s)
		}
		return s
	}
}

// Lie makes the node answer others by l from now on; nil is the truth.
func (x *Node) Lie(l Lie) { x.disguise.wear(l) }

// Third are a third of the running nodes that hold anything for others, chosen so that of the members of every
// place about a third are among them, at most half: those of a place are next to
// each other on the ring, and every third node of the ring is chosen.
func (n *Network) Third() (out []*Node) {
	ring := slices.DeleteFunc(n.Running(), func(x *Node) bool { return x.client })
	slices.SortFunc(ring, func(x, y *Node) int {
		a, b := sha256.Sum256([]byte(x.PeerID())), sha256.Sum256([]byte(y.PeerID()))
		return bytes.Compare(a[:], b[:])
	})
	for i := 2; i < len(ring); i += 3 {
		out = append(out, ring[i])
	}
	return out
}

// told is a store that answers as two functions say.
type told struct {
	merge  func(ctx context.Context, puts []records.Put) ([]records.Outcome, error)
	bucket func(q records.Query) (records.Bucket, error)
}

func (t told) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	return t.merge(ctx, puts)
}

func (t told) Bucket(q records.Query) (records.Bucket, error) { return t.bucket(q) }

// showing is truth in puts, and shows of every bucket what show makes of it.
// Fingerprints are those of what it shows, so that each answer agrees with itself.
func showing(truth starling.ServedStore, show func(q records.Query, b records.Bucket) records.Bucket) starling.ServedStore {
	return told{merge: truth.Merge, bucket: func(q records.Query) (records.Bucket, error) {
		shown := q
		shown.Print = false
		b, err := truth.Bucket(shown)
		if err != nil {
			return b, err
		}
		b = show(q, b)
		b.Fingerprint = b.Sum()
		if q.Print {
			b.Records, b.Witnesses = nil, nil
		}
		return b, nil
	}}
}

// A disguise is what a node's server answers from: what it was given, or a lie
// about it.
type disguise struct {
	watched func(starling.ServedStore) starling.ServedStore // what a test had made of it before, nil for nothing
	truth   starling.ServedStore
	worn    atomic.Pointer[starling.ServedStore]
	leaving sync.Once
	left    chan struct{} // closed when the node is to end
}

func newDisguise(watched func(starling.ServedStore) starling.ServedStore) *disguise {
	return &disguise{watched: watched, left: make(chan struct{})}
}

// release lets go of whoever is kept waiting.
func (d *disguise) release() { d.leaving.Do(func() { close(d.left) }) }

func (d *disguise) serve(truth starling.ServedStore) starling.ServedStore {
	if d.watched != nil {
		truth = d.watched(truth)
	}
	d.truth = truth
	d.wear(nil)
	return d
}

func (d *disguise) wear(l Lie) {
	s := d.truth
	if l != nil {
		s = l(s)
	}
	d.worn.Store(&s)
}

func (d *disguise) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	return (*d.worn.Load()).Merge(ctx, puts)
}

func (d *disguise) Bucket(q records.Query) (records.Bucket, error) {
	return (*d.worn.Load()).Bucket(q)
}

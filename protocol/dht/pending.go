package dht

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// pendingWidth is how many newcomers wait for a place in one bucket. More would only
// be older.
const pendingWidth = 16

// pending is the nodes for which there was no room in their bucket, of each bucket the
// newest pendingWidth (the replacement cache of the Kademlia paper, section 4.1). Its
// zero value is empty.
type pending struct {
	rings [maxPrefix + 1][]peer.ID // by bits shared with us; the newest is last
}

// add lets p wait, as the newest.
func (w *pending) add(p peer.ID, bucket int) {
	w.drop(p, bucket)
	if len(w.rings[bucket]) == pendingWidth {
		w.rings[bucket] = slices.Delete(w.rings[bucket], 0, 1)
	}
	w.rings[bucket] = append(w.rings[bucket], p)
}

// take is the newest that waits for a place in a bucket, who then waits no longer.
func (w *pending) take(bucket int) (p peer.ID, ok bool) {
	last := len(w.rings[bucket]) - 1
	if last < 0 {
		return "", false
	}
	p = w.rings[bucket][last]
	w.rings[bucket] = w.rings[bucket][:last]
	return p, true
}

// drop lets p wait no longer.
func (w *pending) drop(p peer.ID, bucket int) {
	w.rings[bucket] = slices.DeleteFunc(w.rings[bucket], func(o peer.ID) bool { return o == p })
}

// buckets are those for which somebody waits.
func (w *pending) buckets() (waited []int) {
	for b, ring := range w.rings {
		if len(ring) > 0 {
			waited = append(waited, b)
		}
	}
	return waited
}

// size is how many wait.
func (w *pending) size() (n int) {
	for _, ring := range w.rings {
		n += len(ring)
	}
	return n
}

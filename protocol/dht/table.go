package dht

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A table is the library's routing table and our door to it: nobody else adds nodes.
// Who is in it stays while it answers, as in the Kademlia paper (2.2); a newcomer for
// whom there is no room waits. The library itself forgets newcomers, and while its
// table is filling it lets them push out nodes that answer.
type table struct {
	lib    *kb.RoutingTable
	self   contact
	host   host.Host
	limits IPGroups

	refused atomic.Uint64 // nodes kept out by the limits
	vacated chan struct{} // holds one when somebody may have left a bucket for which others wait

	mu      sync.Mutex                 // protects what follows, and that who is let in still fits
	groups  map[peer.ID][]netip.Prefix // of those in the table, when there are limits
	pending pending
}

func newTable(lib *kb.RoutingTable, self contact, h host.Host, limits IPGroups) *table {
	return &table{
		lib: lib, self: self, host: h, limits: limits,
		vacated: make(chan struct{}, 1), groups: map[peer.ID][]netip.Prefix{},
	}
}

// bucketOf is the bucket where p belongs. Those beyond maxPrefix count as one.
func (t *table) bucketOf(p peer.ID) int {
	return min(t.self.at.SharedBits(coordinateOf(p)), maxPrefix)
}

// admit notes that p answered just now: it is in the table, or enters it, or waits for
// a place.
func (t *table) admit(p peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	bucket := t.bucketOf(p)
	if t.lib.UpdateLastSuccessfulOutboundQueryAt(p, time.Now()) {
		t.pending.drop(p, bucket)
		return
	}
	groups, fits := t.fitsLocked(p, bucket)
	if !fits {
		t.pending.drop(p, bucket)
		t.refused.Add(1)
		return
	}
	added, err := t.lib.TryAddPeer(p, true, false)
	switch {
	case errors.Is(err, kb.ErrPeerRejectedNoCapacity):
		t.pending.add(p, bucket)
	case added:
		t.pending.drop(p, bucket)
		if t.limits.limited() {
			t.groups[p] = groups
		}
	}
}

// fitsLocked tells whether p stays within the limits of its groups. Nobody is let in
// whose address is not known.
func (t *table) fitsLocked(p peer.ID, bucket int) (groups []netip.Prefix, fits bool) {
	if !t.limits.limited() {
		return nil, true
	}
	groups, known := t.limits.of(remoteAddrs(t.host, p))
	inTable, inBucket := t.censusLocked(bucket)
	return groups, known && inTable.room(groups, t.limits.PerTable) && inBucket.room(groups, t.limits.PerBucket)
}

// censusLocked counts who is in the table and in one bucket of it. The library may
// have removed nodes without us, so it is asked.
func (t *table) censusLocked(bucket int) (inTable, inBucket census) {
	inTable, inBucket = census{}, census{}
	left := make(map[peer.ID][]netip.Prefix, len(t.groups))
	for _, p := range t.lib.ListPeers() {
		groups := t.groups[p]
		left[p] = groups
		inTable.add(groups)
		if t.bucketOf(p) == bucket {
			inBucket.add(groups)
		}
	}
	t.groups = left
	return inTable, inBucket
}

// remove takes p out, for whoever waits for its place.
func (t *table) remove(p peer.ID) {
	t.lib.RemovePeer(p)
	t.mu.Lock()
	bucket := t.bucketOf(p)
	t.pending.drop(p, bucket)
	waited := len(t.pending.rings[bucket]) > 0
	t.mu.Unlock()
	if waited {
		select {
		case t.vacated <- struct{}{}:
		default:
		}
	}
}

// wait lets p wait for a place, unless it is in the table or there is room: then it
// should be asked for a sign of life.
func (t *table) wait(p peer.ID) (waits bool) {
	if t.lib.UsefulNewPeer(p) || t.has(p) {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending.add(p, t.bucketOf(p))
	return true
}

func (t *table) has(p peer.ID) bool { return t.lib.Find(p) == p }

// waited are the buckets for which somebody waits.
func (t *table) waited() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pending.buckets()
}

// next is the newest that waits for a bucket, who then waits no longer, if there is
// room for it by now.
func (t *table) next(bucket int) (peer.ID, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.pending.take(bucket)
	if ok && !t.lib.UsefulNewPeer(p) {
		t.pending.add(p, bucket)
		return "", false
	}
	return p, ok
}

// quietest is the node of a bucket that was not heard of for the longest.
func (t *table) quietest(bucket int) (kb.PeerInfo, bool) {
	infos := slices.DeleteFunc(t.lib.GetPeerInfos(), func(i kb.PeerInfo) bool { return t.bucketOf(i.Id) != bucket })
	if len(infos) == 0 {
		return kb.PeerInfo{}, false
	}
	return slices.MinFunc(infos, func(a, b kb.PeerInfo) int {
		return a.LastSuccessfulOutboundQueryAt.Compare(b.LastSuccessfulOutboundQueryAt)
	}), true
}

// tableStatus is a table for people and metrics.
type tableStatus struct {
	size, pending, groups int
	refused               uint64
}

func (t *table) status() tableStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := tableStatus{size: t.lib.Size(), pending: t.pending.size(), refused: t.refused.Load()}
	seen := census{}
	for _, p := range t.lib.ListPeers() {
		groups, _ := t.limits.of(remoteAddrs(t.host, p))
		seen.add(groups)
	}
	s.groups = len(seen)
	return s
}

// Table is the nodes in the routing table, in no order; none unless we run.
func (d *DHT) Table() []peer.ID {
	w := d.running()
	if w == nil {
		return nil
	}
	return w.table.lib.ListPeers()
}

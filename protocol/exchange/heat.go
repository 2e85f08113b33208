package exchange

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// Heat counts who reads which place, and remembers which nodes offer copies of
// those that many read. It is bounded whatever peers do: places by how long ago
// they were read, nodes by what has ended. That somebody offers a copy is no more
// than that: who reads it compares it with what members say.
type heat struct {
	seed  maphash.Seed // so that nobody makes up peer ids that look alike
	began time.Time    // windows are counted from here
	need  int          // readers that make a place hot

	mu       sync.Mutex                             // protects all below
	places   *simplelru.LRU[records.Place, *warmth] // read last
	offerers map[peer.ID]*offerer
}

// A warmth is what is known of one place.
type warmth struct {
	window  int64      // the last one with a reader or an offer, as counted by the heat
	readers [2]readers // of that window and of the one before
	keepers [3]readers // peers that offered a copy, taken or not: of that window and of two before
	hot     bool
	copies  []peer.ID // offerers, some of whose leases may have ended
}

// Readers is a set of peers, by a hash, so that its size is about their number
// while that is far below 256, and at most their number.
type readers [4]uint64

func (s *readers) add(hash uint64) { s[hash>>6%4] |= 1 << (hash % 64) }

func (s *readers) has(hash uint64) bool { return s[hash>>6%4]&(1<<(hash%64)) != 0 }

func (s *readers) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// An offerer is a node that has leases, some of which may have ended.
type offerer struct {
	record []byte // by which it is named
	until  map[records.Place]time.Time
}

func newHeat(need int) *heat {
	h := &heat{need: need, seed: maphash.MakeSeed(), began: time.Now(), offerers: map[peer.ID]*offerer{}}
	places, err := simplelru.NewLRU(protocol.MaxHeat, h.forget)
	if err != nil {
		panic(err) // only for a size below 1
	}
	h.places = places
	return h
}

// forget ends the leases of a place that is no longer kept. The caller holds h.mu.
func (h *heat) forget(p records.Place, w *warmth) {
	for _, id := range w.copies {
		h.end(id, p)
	}
}

// end ends a lease, if there is one.
func (h *heat) end(id peer.ID, p records.Place) {
	o := h.offerers[id]
	if o == nil || o.until[p].IsZero() {
		return
	}
	if delete(o.until, p); len(o.until) == 0 {
		delete(h.offerers, id)
	}
}

// read counts a reader of a place and tells whether the place is hot. Those who
// keep a copy of it, here named or elsewhere, are no readers: they compare it all
// the time, and would keep the place hot themselves.
func (h *heat) read(p records.Place, by peer.ID, now time.Time) (hot bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w, known := h.places.Get(p)
	if !known {
		w = &warmth{}
		h.places.Add(p, w)
	}
	h.roll(p, w, now)
	if hash := maphash.String(h.seed, string(by)); !slices.Contains(w.copies, by) && !w.keeper(hash) {
		w.readers[0].add(hash)
	}
	h.judge(w, now)
	return w.hot
}

// keeper tells whether a peer keeps a copy, whoever names it: it offers it again
// and again. Who was turned down once does not.
func (w *warmth) keeper(hash uint64) bool {
	n := 0
	for _, offered := range w.keepers {
		if offered.has(hash) {
			n++
		}
	}
	return n > 1
}

// roll forgets the readers of windows that are over, and leases that have ended.
func (h *heat) roll(p records.Place, w *warmth, now time.Time) {
	window := int64(now.Sub(h.began) / protocol.HotWindow)
	pass(w.readers[:], window-w.window)
	pass(w.keepers[:], window-w.window)
	w.window = window
	w.copies = slices.DeleteFunc(w.copies, func(id peer.ID) bool {
		o := h.offerers[id]
		if o != nil && o.until[p].After(now) {
			return false
		}
		h.end(id, p)
		return true
	})
}

// pass moves what was of one window to the one before, as often as windows passed.
func pass(ages []readers, windows int64) {
	for range min(windows, int64(len(ages))) {
		copy(ages[1:], ages)
		ages[0] = readers{}
	}
}

// lately is how many read the place within about the last HotWindow: those of this
// window, and of those of the one before as large a part as the last HotWindow has
// of it.
func (h *heat) lately(w *warmth, now time.Time) int {
	into := now.Sub(h.began) % protocol.HotWindow
	return w.readers[0].count() + int(float64(w.readers[1].count())*(1-float64(into)/float64(protocol.HotWindow)))
}

// judge says whether the place is hot. It takes fewer readers to stay so than to
// become so, or a place at the border would make and drop copies all the time.
func (h *heat) judge(w *warmth, now time.Time) {
	need := h.need
	if w.hot {
		need /= 2
	}
	w.hot = h.lately(w, now) >= need
}

// named are, by lot, some of those who keep a copy of a hot place, as one who asks
// for it is told: never the one who asks.
func (h *heat) named(p records.Place, asks peer.ID, now time.Time) (names [][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w, known := h.places.Peek(p)
	if !known || !w.hot {
		return nil
	}
	h.roll(p, w, now)
	for _, i := range rand.Perm(len(w.copies)) {
		if id := w.copies[i]; id != asks && len(names) < protocol.MaxCopiesNamed {
			names = append(names, h.offerers[id].record)
		}
	}
	return names
}

// offer takes an offer of copies of places and tells for how long each is named; 0
// when the place is not hot, or has copies enough for its readers.
func (h *heat) offer(by peer.ID, record []byte, places []records.Place, now time.Time) []time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	leases := make([]time.Duration, len(places))
	o := h.offerer(by, now)
	if o == nil {
		return leases
	}
	o.record = record
	for i, p := range places {
		if h.lease(p, by, o, now) {
			leases[i] = protocol.CopyLease
		}
	}
	if len(o.until) == 0 {
		delete(h.offerers, by)
	}
	return leases
}

// offerer is what is known of a node that offers; nil when there is no room for it.
func (h *heat) offerer(id peer.ID, now time.Time) *offerer {
	if h.offerers[id] == nil && len(h.offerers) >= protocol.MaxOfferers {
		for other := range h.offerers {
			h.endPast(other, now)
		}
		if len(h.offerers) >= protocol.MaxOfferers {
			return nil
		}
	}
	h.endPast(id, now)
	if h.offerers[id] == nil {
		h.offerers[id] = &offerer{until: map[records.Place]time.Time{}}
	}
	return h.offerers[id]
}

// endPast ends what has ended of one offerer's leases.
func (h *heat) endPast(id peer.ID, now time.Time) {
	o := h.offerers[id]
	if o == nil {
		return
	}
	for p, until := range o.until {
		if !until.After(now) {
			h.end(id, p)
		}
	}
}

// lease names a node as one that keeps a copy of p, if another is of use.
func (h *heat) lease(p records.Place, by peer.ID, o *offerer, now time.Time) bool {
	w, known := h.places.Peek(p)
	if !known {
		return false
	}
	h.roll(p, w, now)
	w.keepers[0].add(maphash.String(h.seed, string(by)))
	h.judge(w, now)
	useful := min(protocol.MinCopies*h.lately(w, now)/h.need, protocol.MaxCopies)
	i := slices.Index(w.copies, by)
	switch {
	case !w.hot, i >= useful, i < 0 && len(w.copies) >= useful:
		if i >= 0 {
			w.copies = slices.Delete(w.copies, i, i+1)
			delete(o.until, p)
		}
		return false
	case i < 0 && len(o.until) >= protocol.MaxOfferPlaces:
		return false
	case i < 0:
		w.copies = append(w.copies, by)
	}
	o.until[p] = now.Add(protocol.CopyLease)
	return true
}

// Warm is what a server has to do with hot places.
type Warm struct {
	Hot    int // places of its own that many read now
	Copies int // copies of them that other nodes keep, and that it names
}

// warm counts what is hot.
func (h *heat) warm(now time.Time) (out Warm) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.places.Keys() {
		w, _ := h.places.Peek(p)
		h.roll(p, w, now)
		if h.judge(w, now); w.hot {
			out.Hot++
			out.Copies += len(w.copies)
		}
	}
	return out
}

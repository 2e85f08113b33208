package node

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// hot is what this node was told of places that many read: that they are hot, and
// which nodes keep copies of them. All of it is hearsay. A copy is asked for
// records in a member's stead, and members for the fingerprint that shows whether
// the copy has what they have; one that has not is not asked again for a while.
//
// It is bounded, forgets what is not heard again, and is safe for concurrent use.
type hot struct {
	network records.Network
	self    peer.ID

	mu     sync.Mutex // protects places and all in them
	places *simplelru.LRU[records.Place, *hotPlace]
}

// A hotPlace is what was heard of one place.
type hotPlace struct {
	until  time.Time // it is taken to be hot
	copies []hotCopy
}

// A hotCopy is one who keeps a copy, they say.
type hotCopy struct {
	peer.AddrInfo
	name    string    // as it was told, so that it is opened once
	until   time.Time // it is remembered
	doubted bool      // it did not answer, or not as members do
}

const (
	hotPlaces   = 1024 // about 10 KiB each when all its copies are known
	hotPerPlace = 8    // copies; members name four at a time
)

func newHot(n records.Network, self peer.ID) *hot {
	places, err := simplelru.NewLRU[records.Place, *hotPlace](hotPlaces, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &hot{network: n, self: self, places: places}
}

// saw takes in what came with an answer about a place. It tells whether another
// copy would be of use: whether the place is hot, and few who keep one are named.
func (h *hot) saw(p records.Place, a exchange.Answer, now time.Time) (wanted bool) {
	if !a.Hot {
		return false
	}
	opened := h.open(p, a.Copies)
	h.mu.Lock()
	defer h.mu.Unlock()
	known, _ := h.places.Get(p)
	if known == nil {
		known = &hotPlace{}
		h.places.Add(p, known)
	}
	known.until = now.Add(protocol.HotWindow)
	known.forget(now)
	for _, name := range a.Copies {
		known.heard(string(name), opened[string(name)], now)
	}
	return len(known.copies) < protocol.MaxCopiesNamed
}

// open opens those names that are not known yet. It holds no lock meanwhile.
func (h *hot) open(p records.Place, names [][]byte) map[string]peer.AddrInfo {
	opened := map[string]peer.AddrInfo{}
	for _, name := range names {
		if h.knows(p, string(name)) {
			continue
		}
		if info, err := exchange.OpenCopy(h.network, name); err == nil && info.ID != h.self {
			opened[string(name)] = info
		}
	}
	return opened
}

func (h *hot) knows(p records.Place, name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.places.Peek(p)
	return ok && slices.ContainsFunc(known.copies, func(c hotCopy) bool { return c.name == name })
}

// heard notes that a copy was named. One that is doubted stays so until it is
// forgotten, however often it is named.
func (k *hotPlace) heard(name string, info peer.AddrInfo, now time.Time) {
	until := now.Add(protocol.CopyLease)
	for i := range k.copies {
		c := &k.copies[i]
		switch {
		case c.name != name && c.ID != info.ID:
			continue
		case !c.doubted:
			c.until = until
		}
		if info.ID != "" {
			c.name, c.AddrInfo = name, info
		}
		return
	}
	if info.ID != "" && len(k.copies) < hotPerPlace {
		k.copies = append(k.copies, hotCopy{AddrInfo: info, name: name, until: until})
	}
}

func (k *hotPlace) forget(now time.Time) {
	k.copies = slices.DeleteFunc(k.copies, func(c hotCopy) bool { return !c.until.After(now) })
}

// is tells whether a place was said to be hot lately.
func (h *hot) is(p records.Place, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.places.Peek(p)
	return ok && known.until.After(now)
}

// copies are, by lot, those who keep a copy of a place, as far as anybody knows.
func (h *hot) copies(p records.Place, now time.Time) (out []peer.AddrInfo) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.places.Get(p)
	if !ok {
		return nil
	}
	known.forget(now)
	for _, i := range rand.Perm(len(known.copies)) {
		if c := known.copies[i]; !c.doubted {
			out = append(out, c.AddrInfo)
		}
	}
	return out
}

// doubt notes that one who is said to keep a copy of a place did not show what its
// members have.
func (h *hot) doubt(p records.Place, id peer.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.places.Peek(p)
	if !ok {
		return
	}
	for i := range known.copies {
		if known.copies[i].ID == id {
			known.copies[i].doubted = true
		}
	}
}

// copiesOf are those to ask for the records of a place in its members' stead: this
// node if it keeps a copy, and others that do.
func (n *Node) copiesOf(p records.Place) (out []peer.ID) {
	if n.cache.keeps(p) {
		out = append(out, n.host.ID())
	}
	for _, c := range n.hot.copies(p, time.Now()) {
		if len(out) == readFull {
			break
		}
		n.host.Peerstore().AddAddrs(c.ID, c.Addrs, protocol.CopyLease)
		out = append(out, c.ID)
	}
	return out
}

// judge notes which copies did not show what members hold.
func (n *Node) judge(ctx context.Context, readings []*reading) {
	if ctx.Err() != nil {
		return // they had no time to
	}
	for _, r := range readings {
		for _, c := range r.unlike() {
			n.hot.doubt(r.query.Place, c)
		}
	}
}

// heard takes in what came with an answer about a place beside its bucket.
func (n *Node) heard(p records.Place, a exchange.Answer) {
	if n.hot.saw(p, a, time.Now()) {
		n.cache.wish(p)
	}
}

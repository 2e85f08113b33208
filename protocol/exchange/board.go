package exchange

import (
	"container/list"
	"math/rand/v2"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// A board remembers the last arrivals at every root that somebody follows or
// followed lately. Whoever brings an arrival appends it and goes on; a follower
// reads at its own pace from where it stands, and is told of a gap when what it
// would have read next has gone. So a slow follower costs nobody anything.
type board struct {
	mu    sync.Mutex // protects all of the board, its rings and followers
	rings map[records.Place]*ring
	quiet *list.List // of *ring that nobody follows, the longest so first
	all   *list.List // of arrival, oldest first, whatever the root
	bytes int        // of their records
	seen  *lru.Cache[sighting, struct{}]
}

// A ring is the last arrivals at one root. Their sequences are consecutive and end
// at last; those of one epoch are comparable.
type ring struct {
	root      records.Place
	epoch     uint64
	last      uint64
	arrivals  []*list.Element // of board.all, oldest first
	followers map[*follower]struct{}
	quiet     *list.Element // in board.quiet, nil while followed
}

// An arrival is one record at one root.
type arrival struct {
	ring   *ring
	record *records.Record
}

// A sighting is that a record has arrived at a ring, whose epoch stands for it.
type sighting struct {
	epoch uint64
	id    records.ID
}

// A follower is one stream's place on some rings.
type follower struct {
	stands []stand
	marks  []mark        // to be told before any arrival
	wake   chan struct{} // holds a token when something has arrived
}

// A stand is up to where a follower has read a ring.
type stand struct {
	ring *ring
	last uint64
}

// A mark says where a follower stands on its root, and whether it missed arrivals.
type mark struct {
	root     int
	epoch    uint64
	sequence uint64
	gap      bool
}

// news is the next arrival for a follower.
type news struct {
	root     int
	sequence uint64
	record   *records.Record
}

// quietRings is how many rings are kept that nobody follows, for those who come back.
const quietRings = 4096

func newBoard() *board {
	seen, err := lru.New[sighting, struct{}](protocol.MaxArrivalsSeen)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &board{rings: map[records.Place]*ring{}, quiet: list.New(), all: list.New(), seen: seen}
}

// arrive appends a record to a root's ring, if there is one, unless it did before.
func (b *board) arrive(root records.Place, r *records.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.rings[root]
	if g == nil {
		return
	}
	if known, _ := b.seen.ContainsOrAdd(sighting{g.epoch, r.ID()}, struct{}{}); known {
		return
	}
	g.last++
	g.arrivals = append(g.arrivals, b.all.PushBack(arrival{g, r}))
	b.bytes += len(r.Bytes())
	if len(g.arrivals) > protocol.MaxArrivals {
		b.dropOldest(g)
	}
	for b.bytes > protocol.MaxArrivalBytes {
		b.dropOldest(b.all.Front().Value.(arrival).ring) // the oldest of all is the oldest there
	}
	for f := range g.followers {
		f.signal()
	}
}

func (b *board) dropOldest(g *ring) {
	a := b.all.Remove(g.arrivals[0]).(arrival)
	g.arrivals = g.arrivals[1:]
	b.bytes -= len(a.record.Bytes())
}

// follow adds a follower that has read each root up to a mark. Unfollow must follow.
func (b *board) follow(from []Mark) *follower {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := &follower{wake: make(chan struct{}, 1)}
	for i, m := range from {
		g := b.ring(m.Root)
		g.followers[f] = struct{}{}
		s, gap := g.resume(m)
		f.stands = append(f.stands, s)
		f.marks = append(f.marks, mark{root: i, epoch: g.epoch, sequence: s.last, gap: gap})
	}
	f.signal()
	return f
}

func (b *board) unfollow(f *follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range f.stands {
		delete(s.ring.followers, f)
		if len(s.ring.followers) == 0 && s.ring.quiet == nil {
			s.ring.quiet = b.quiet.PushBack(s.ring)
		}
	}
	for b.quiet.Len() > quietRings {
		b.forget(b.quiet.Front().Value.(*ring))
	}
}

// forget drops a ring that nobody follows.
func (b *board) forget(g *ring) {
	b.quiet.Remove(g.quiet)
	for len(g.arrivals) > 0 {
		b.dropOldest(g)
	}
	delete(b.rings, g.root)
}

// ring is the ring of a root, which is about to be followed.
func (b *board) ring(root records.Place) *ring {
	g := b.rings[root]
	switch {
	case g == nil:
		g = &ring{root: root, epoch: rand.Uint64() | 1, followers: map[*follower]struct{}{}}
		b.rings[root] = g
	case g.quiet != nil:
		b.quiet.Remove(g.quiet)
		g.quiet = nil
	}
	return g
}

// first is the sequence before the oldest arrival that is remembered.
func (g *ring) first() uint64 { return g.last - uint64(len(g.arrivals)) }

// resume is where one who has read up to m goes on, and whether it misses something.
func (g *ring) resume(m Mark) (stand, bool) {
	switch {
	case m.Epoch == 0:
		return stand{g, g.last}, false
	case m.Epoch != g.epoch, m.Sequence > g.last:
		return stand{g, g.last}, true
	case m.Sequence < g.first():
		return stand{g, g.first()}, true
	default:
		return stand{g, m.Sequence}, false
	}
}

func (f *follower) signal() {
	select {
	case f.wake <- struct{}{}:
	default: // it has not seen the last one yet
	}
}

// next is what to tell f: where it stands, if that is not what it last heard, and
// up to so many bytes of arrivals. It returns nothing when f has read everything.
func (b *board) next(f *follower, bytes int) (marks []mark, read []news) {
	b.mu.Lock()
	defer b.mu.Unlock()
	marks, f.marks = f.marks, nil
	for i := range f.stands {
		s := &f.stands[i]
		if s.last < s.ring.first() {
			s.last = s.ring.first()
			marks = append(marks, mark{root: i, epoch: s.ring.epoch, sequence: s.last, gap: true})
		}
		for s.last < s.ring.last && bytes > 0 {
			r := s.ring.arrivals[s.last-s.ring.first()].Value.(arrival).record
			s.last++
			read = append(read, news{i, s.last, r})
			bytes -= len(r.Bytes()) + recordOverhead
		}
	}
	return marks, read
}

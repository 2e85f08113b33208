package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/starling-social/starling/records"
)

// Read repair: a reader who was shown what some members lack gives it to them. It
// costs the reader's own upload, so it is bounded in all, and for each member and
// place: one who says again and again that it holds nothing is believed ever more
// rarely. Nobody depends on being given anything, because who lacks something finds
// out when he compares himself, and takes it on his own time.

const (
	repairAgain   = 3 * time.Minute // after the first time, and twice as long after each further one
	repairRarely  = time.Hour       // at most
	repairForget  = 24 * time.Hour  // then everybody is new
	repairTimeout = 30 * time.Second
	repairsKept   = 1 << 14 // member and place, 100 bytes each; beyond, the oldest may be repaired again early
	repairsAtOnce = 16
	givers        = 2  // neighbours that give what somebody still lacks an interval later, in the mean
	sparePart     = 20 // of the rate for what is given, and as much for who asks without end
	// mendBurst is what may be sent at once before the rate counts: a bucket and its
	// witnesses, of the largest records.
	mendBurst = 80 * records.MaxRecord
)

type repairKey struct {
	member peer.ID
	place  records.Place
}

// A gift is what is known of giving somebody something of a place.
type gift struct {
	last time.Time
	next time.Duration // after which it may be given again
}

// repairs is whom this node gives what they lack. It is safe for concurrent use.
type repairs struct {
	given *lru.Cache[repairKey, gift]
	slots chan struct{}
	pace  *rate.Limiter  // of what is taken, in bytes
	spare *rate.Limiter  // of what is given
	share func() float64 // how likely we are to give what our neighbours may give too
	slow  func()         // told when something has to wait for the pace
	moved atomic.Int64   // bytes of records, either way
	sent  atomic.Int64   // of these, by us
}

func newRepairs(bytesPerSecond int, share func() float64, slow func()) *repairs {
	given, err := lru.New[repairKey, gift](repairsKept)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &repairs{
		given: given, share: share, slow: slow, slots: make(chan struct{}, repairsAtOnce),
		pace:  rate.NewLimiter(rate.Limit(bytesPerSecond), mendBurst),
		spare: rate.NewLimiter(rate.Limit(spareRate(bytesPerSecond)), mendBurst),
	}
}

// giveShare is our part in giving what all neighbours see that one of them lacks.
func (n *Node) giveShare() float64 { return min(1, givers/float64(1+len(n.dht.Neighbours()))) }

// spareRate is what of a rate is left to those of whom nobody knows whether they
// make good use of it.
func spareRate(bytesPerSecond int) int { return max(bytesPerSecond/sparePart, 1) }

// repair gives the members of a place what they showed to lack of the union. It is
// not waited for.
func (n *Node) repair(ctx context.Context, r *reading, all records.Bucket) {
	for m, b := range r.full {
		if !slices.Contains(r.members, m) {
			continue // it keeps a copy for itself
		}
		puts := lacking(b, all)
		if len(puts) == 0 {
			continue
		}
		if n.dht.IsMember(m) {
			n.healer.suspect(m) // a neighbour, with whom we compare all
		}
		select {
		case n.repairs.slots <- struct{}{}:
		default:
			return // healing will find it
		}
		if !n.repairs.takeAtOnce(repairKey{m, b.Place}, n.now()) {
			<-n.repairs.slots
			continue
		}
		started := n.tasks.start(ctx, repairTimeout, func(ctx context.Context) {
			defer func() { <-n.repairs.slots }()
			taken, err := n.mend(ctx, m, puts)
			n.voices.read.Debug("repair", "peer_id", m, "place", puts[0].Place, "records", len(puts), "taken", taken, "err", err)
		})
		if !started {
			<-n.repairs.slots
		}
	}
}

// take tells whether a neighbour may be given what it lacks of a place, and notes it.
// The first time it may not, since most who lack something are about to take it
// themselves; and then by lot, since its other neighbours see the same.
func (r *repairs) take(k repairKey, now time.Time) bool {
	g, known := r.given.Get(k)
	switch since := now.Sub(g.last); {
	case !known || since > repairForget:
		r.given.Add(k, gift{now, repairAgain})
		return false
	case since >= g.next && rand.Float64() >= r.share():
		r.given.Add(k, gift{now, g.next})
		return false
	}
	return r.takeAtOnce(k, now)
}

// takeAtOnce is take for what a reader saw. A key without a place is about whether
// a member may be doubted.
func (r *repairs) takeAtOnce(k repairKey, now time.Time) bool {
	g, known := r.given.Get(k)
	switch since := now.Sub(g.last); {
	case !known || since > repairForget:
		g.next = repairAgain
	case since < g.next:
		return false
	default:
		g.next = min(2*g.next, repairRarely)
	}
	g.last = now
	r.given.Add(k, g)
	return true
}

// afford tells whether records may be given now: who lacks them is not waited for.
func (r *repairs) afford(puts []records.Put) bool {
	size := moves(puts)
	if !r.spare.AllowN(time.Now(), min(size, mendBurst)) {
		return false
	}
	r.moved.Add(int64(size))
	r.sent.Add(int64(size))
	return true
}

// await waits until records may be moved at the pace that is set for that.
func (r *repairs) await(ctx context.Context, puts []records.Put) error {
	size := moves(puts)
	r.moved.Add(int64(size))
	for ; size > 0; size -= mendBurst {
		if r.pace.Tokens() < float64(min(size, mendBurst)) {
			r.slow()
		}
		if err := r.pace.WaitN(ctx, min(size, mendBurst)); err != nil {
			return fmt.Errorf("wait for the pace of repair: %w", err)
		}
	}
	return nil
}

// moves is how many bytes of records some puts carry: one that goes to several
// places goes once.
func moves(puts []records.Put) (size int) {
	once := map[records.ID]bool{}
	for _, p := range puts {
		if id := p.Record.ID(); !once[id] {
			once[id] = true
			size += len(p.Record.Bytes())
		}
	}
	return size
}

// mend gives a member records, if there is room for it, and returns how many it took.
func (n *Node) mend(ctx context.Context, m peer.ID, puts []records.Put) (taken int, err error) {
	if !n.repairs.afford(puts) {
		return 0, nil
	}
	results, err := n.put(ctx, m, puts)
	for _, r := range results {
		if r.Err == nil {
			taken++
		}
	}
	return taken, err
}

// lacking is what of a union a member that showed b does not have. Of what b leaves
// out nothing is known.
func lacking(b, all records.Bucket) (puts []records.Put) {
	has := map[records.ItemKey]*records.Record{}
	for _, r := range slices.Concat(b.Records, b.Witnesses) {
		has[r.ItemKey()] = r
	}
	var from records.Position
	if b.More && len(b.Records) > 0 {
		from = b.Place.Position(b.Records[len(b.Records)-1])
	}
	for _, r := range all.Records {
		if h := has[r.ItemKey()]; b.Place.Position(r).Compare(from) >= 0 && (h == nil || r.Wins(h)) {
			puts = append(puts, records.Put{Place: b.Place, Record: r})
		}
	}
	for _, w := range all.Witnesses {
		child := b.Place.ChildFor(w)
		if witnessOf(all, child) != w {
			continue // on its way down; it counts nowhere
		}
		own, h := witnessOf(b, child), has[w.ItemKey()]
		later := own == nil || b.Place.Position(w).Compare(b.Place.Position(own)) < 0
		if h == nil && later || h != nil && w.Wins(h) {
			puts = append(puts, records.Put{Place: b.Place, Record: w})
		}
	}
	return puts
}

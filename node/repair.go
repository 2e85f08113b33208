package node

import (
	"context"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/starling-social/starling/records"
)

// Read repair: a reader who was shown what some members lack gives it to them. It
// costs the reader's own upload, so it is bounded in all, and for each member and
// place: one who says again and again that it holds nothing is not believed twice a
// minute.

const (
	repairAgain   = time.Minute
	repairTimeout = 30 * time.Second
	repairsKept   = 1 << 14 // member and place, 100 bytes each; beyond, the oldest may be repaired again early
	repairsAtOnce = 16
	// mendBurst is what may be sent at once before the rate counts: a bucket and its
	// witnesses, of the largest records.
	mendBurst = 80 * records.MaxRecord
)

type repairKey struct {
	member peer.ID
	place  records.Place
}

// repairs is whom this node gives what they lack. It is safe for concurrent use.
type repairs struct {
	given *lru.Cache[repairKey, time.Time] // when last
	slots chan struct{}
	pace  *rate.Limiter // in bytes; shared with healing
}

func newRepairs(bytesPerSecond int) *repairs {
	given, err := lru.New[repairKey, time.Time](repairsKept)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &repairs{
		given: given, slots: make(chan struct{}, repairsAtOnce),
		pace: rate.NewLimiter(rate.Limit(bytesPerSecond), mendBurst),
	}
}

// repair gives the members of a place what they showed to lack of the union. It is
// not waited for.
func (n *Node) repair(ctx context.Context, r *reading, all records.Bucket) {
	for m, b := range r.full {
		if !slices.Contains(r.members, m) {
			continue // it keeps a copy for itself
		}
		puts, now := lacking(b, all), n.now()
		last, _ := n.repairs.given.Get(repairKey{m, b.Place})
		if len(puts) == 0 || now.Sub(last) < repairAgain {
			continue
		}
		select {
		case n.repairs.slots <- struct{}{}:
		default:
			return // healing will find it
		}
		n.repairs.given.Add(repairKey{m, b.Place}, now)
		started := n.tasks.start(ctx, repairTimeout, func(ctx context.Context) {
			defer func() { <-n.repairs.slots }()
			n.mend(ctx, m, puts)
		})
		if !started {
			<-n.repairs.slots
		}
	}
}

// mend gives a member records at the pace that is set for that.
func (n *Node) mend(ctx context.Context, m peer.ID, puts []records.Put) {
	size := 0
	for _, p := range puts {
		size += len(p.Record.Bytes())
	}
	if err := n.repairs.pace.WaitN(ctx, min(size, mendBurst)); err != nil {
		return
	}
	results, err := n.put(ctx, m, puts)
	stored := 0
	for _, r := range results {
		if r.Err == nil {
			stored++
		}
	}
	n.log.Debug("repair", "peer_id", m, "place", puts[0].Place, "records", len(puts), "taken", stored, "err", err)
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

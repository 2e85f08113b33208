package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/starling-social/starling/records"
)

// A reader finds a place only if its parent bears witness to it. Writers see to that
// before they put anything there; but one that was told lies may not have, and the
// parent's members change. One that knows of an older witness does not stop at the
// parent at all. So the holders of a place offer its smallest record to the parent:
// the few who are nearest when it is another than before, and some by chance when
// their neighbourhood changes, and now and then. They do only if the members of the
// parent do not show it already.
const (
	offerAfter  = 40 * time.Second // since the smallest record came: half of that to one and a half
	offerEvery  = time.Hour        // between two sweeps over all places: half of that to one and a half
	offerCalm   = 20 * time.Second // since our neighbourhood changed, likewise
	offerPace   = time.Second      // between two places, likewise
	offerBatch  = 8                // records offered at once, when the smallest speak only for themselves
	offerers    = 4                // members of a place that offer it; in the mean, where chance decides
	offerBounds = 10 * time.Second // for one place
)

// offers tells whether we are one of the nearest members of a place. Somebody who
// makes himself the nearest and does nothing delays what chance sees to later.
func (n *Node) offers(p records.Place) bool {
	at := p.Coordinate()
	own := distance(sha256.Sum256([]byte(n.host.ID())), at)
	nearer := 0
	for _, m := range n.dht.Neighbours() {
		if d := distance(sha256.Sum256([]byte(m)), at); bytes.Compare(d[:], own[:]) < 0 {
			nearer++
		}
	}
	return nearer < offerers
}

// distance is that of Kademlia.
func distance(a, b records.Coordinate) (d records.Coordinate) {
	subtle.XORBytes(d[:], a[:], b[:])
	return d
}

// offerUsed offers the places whose smallest record is another than before.
func (n *Node) offerUsed(ctx context.Context) error {
	for {
		select {
		case u := <-n.holder.used:
			if !pause(ctx, u.at.Sub(n.now())) {
				return nil
			}
			n.holder.offering(u.place)
			if !n.offerOne(ctx, u.place) {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// offerAll goes over all places that we hold, again and again.
func (n *Node) offerAll(ctx context.Context) error {
	for {
		next := time.NewTimer(jitter(offerEvery))
		select {
		case <-n.moved:
			next.Stop()
			if !pause(ctx, jitter(offerCalm)) {
				return nil
			}
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
			return nil
		}
		if err := n.sweep(ctx); err != nil {
			n.voices.carry.Warn("go over what is held", "err", err)
		}
	}
}

// sweep offers a share of the places that we hold, by chance.
func (n *Node) sweep(ctx context.Context) error {
	share := min(1, offerers/float64(1+len(n.dht.Neighbours())))
	var last records.Place
	for e, err := range n.store.All() {
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case e.Place == last:
			continue
		}
		last = e.Place
		if e.Place.IsRoot() || !n.dht.Holds(e.Coordinate) || rand.Float64() >= share {
			continue
		}
		if !n.offerOne(ctx, e.Place) {
			return nil
		}
	}
	return nil
}

// offerOne offers a place and rests; false when ctx has ended.
func (n *Node) offerOne(ctx context.Context, p records.Place) bool {
	bounded, cancel := context.WithTimeout(ctx, offerBounds)
	defer cancel()
	if err := n.offer(bounded, p); err != nil && ctx.Err() == nil {
		n.voices.carry.Debug("offer a place to its parent", "place", p, "err", err)
	}
	return pause(ctx, jitter(offerPace))
}

// offer sees that the members of p's parent bear witness to p.
func (n *Node) offer(ctx context.Context, p records.Place) error {
	parent, ok := p.Parent()
	if !ok {
		return nil
	}
	b, err := n.store.Bucket(records.Query{Place: p, Before: records.Newest, Limit: n.config.Network.Capacity(p)})
	if err != nil {
		return fmt.Errorf("read bucket: %w", err)
	}
	rs := smallestFirst(p, b)
	if len(rs) == 0 {
		return nil
	}
	if shown := n.agreed(ctx, []records.Query{justUpTo(parent, rs[0])})[0]; shown != nil {
		w := witnessOf(*shown, p)
		switch inBucket := holds(shown.Records, rs[0]); {
		case w != nil && (inBucket || parent.Position(w).Compare(parent.Position(rs[0])) <= 0):
			return nil
		case inBucket:
			rs = rs[1:] // it stands there itself, and so does not speak for the others here
		}
	}
	for part := range slices.Chunk(rs, offerBatch) {
		if witnessed, err := n.offerRecords(ctx, parent, part); witnessed || err != nil {
			return err
		}
	}
	return nil
}

// smallestFirst is all that a bucket shows, by position.
func smallestFirst(p records.Place, b records.Bucket) []*records.Record {
	all := slices.Concat(b.Records, b.Witnesses)
	slices.SortFunc(all, func(r, s *records.Record) int { return p.Position(r).Compare(p.Position(s)) })
	return all
}

// offerRecords puts records of a place to its parent, and tells whether they belong
// below there, so that they bear witness.
func (n *Node) offerRecords(ctx context.Context, parent records.Place, rs []*records.Record) (witnessed bool, err error) {
	puts := make([]records.Put, len(rs))
	for i, r := range rs {
		puts[i] = records.Put{Place: parent, Record: r}
	}
	tallies, err := n.putRound(ctx, puts)
	if err != nil {
		return false, err
	}
	n.carry(ctx, n.taught(puts, tallies))
	return slices.ContainsFunc(tallies, func(t tally) bool { return t.below >= majority(t.members) }), nil
}

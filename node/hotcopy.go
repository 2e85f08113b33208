package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// A node that reads a hot place of which few copies are named makes one, and
// answers for it like a member as long as the place stays hot: this file is that.
// A copy is read as any reader would, through the one door and compared with all
// members; it lies in the ordinary store, at the place itself.

// keepCopies makes copies of hot places, looks after them, and drops those that are
// no longer wanted.
func (n *Node) keepCopies(ctx context.Context) error {
	if n.config.Client || n.config.Cache == 0 || !protocol.Solves(n.config.Network, n.host.ID()) {
		return nil
	}
	select {
	case <-n.dht.Ready():
	case <-ctx.Done():
		return nil
	}
	settled := time.NewTimer(cacheSettle)
	defer settled.Stop()
	tick := time.NewTicker(cacheTick)
	defer tick.Stop()
	for {
		select {
		case <-settled.C:
			if err := n.dropLeftovers(ctx); err != nil && ctx.Err() == nil {
				n.voices.read.Warn("drop copies of the last run", "err", err)
			}
		case p := <-n.cache.wishes:
			now := time.Now()
			if !n.holds(p) {
				n.cache.begin(p, now, now.Add(rand.N(cacheSpread)))
			}
		case <-tick.C:
			n.careForCopies(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// holds tells whether a place is this node's to hold without being hot: it is, or
// may be by others' estimates, a member of it, or follows it.
func (n *Node) holds(p records.Place) bool {
	return n.server.Member(p.Coordinate()) || n.copies.keeps(p)
}

func (n *Node) careForCopies(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(cacheWorks)
	for p, k := range n.cache.due(time.Now()) {
		g.Go(func() error {
			err := n.careFor(ctx, p, k)
			if err != nil && ctx.Err() == nil {
				n.voices.read.Debug("copy of a hot place", "place", p, "err", err)
			}
			return nil
		})
	}
	_ = g.Wait()
}

// Why a copy is not kept.
var (
	errCooled   = errors.New("it is not hot any more, or has copies enough")
	errOccupied = errors.New("something of it is here for another reason")
	errNoBudget = errors.New("it is larger than what is left of the budget")
)

// careFor makes a copy, or compares it with the members and offers it again, or
// drops it.
func (n *Node) careFor(ctx context.Context, p records.Place, k *cached) error {
	if n.holds(p) {
		return n.release(ctx, p)
	}
	began := time.Now()
	err := n.renew(ctx, p, k, began)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	k.due = time.Now().Add(cacheEvery - rand.N(cacheEvery/4))
	switch {
	case k.until.Add(cacheLinger).After(began):
		return err
	case k.bytes == 0: // nothing here is a copy
		return errors.Join(err, n.release(ctx, p))
	default:
		return errors.Join(err, n.dropCopy(ctx, p))
	}
}

// renew makes what is kept of a place what its members have, and offers it.
func (n *Node) renew(ctx context.Context, p records.Place, k *cached, now time.Time) error {
	if k.bytes == 0 {
		if err := n.wanted(p, now); err != nil {
			return err
		}
	}
	buckets, errs := n.read(ctx, []records.Query{{Place: p, Before: records.Newest, Limit: n.config.Network.Capacity(p)}})
	if errs[0] != nil {
		return errs[0]
	}
	if err := n.storeCopy(ctx, p, buckets[0]); err != nil {
		return err
	}
	if now.Sub(k.offered) < protocol.CopyLease/3 {
		return nil
	}
	k.offered = now
	lease, err := n.offerCopy(ctx, p)
	if lease > 0 {
		k.until = now.Add(lease)
	}
	return err
}

// wanted tells why a copy should not be made, which was of use a few seconds ago.
func (n *Node) wanted(p records.Place, now time.Time) error {
	if !n.hot.is(p, now) || len(n.hot.copies(p, now)) >= protocol.MaxCopiesNamed {
		return errCooled
	}
	b, err := n.store.Bucket(records.Query{Place: p, Before: records.Newest, Print: true})
	if err != nil {
		return fmt.Errorf("look for what is here: %w", err)
	}
	if b.Count > 0 || len(b.Witnesses) > 0 || b.Fingerprint.Count > 0 {
		return errOccupied // and so is not ours to drop
	}
	return nil
}

// storeCopy keeps a bucket as a copy. That it is one is on disk before it.
func (n *Node) storeCopy(ctx context.Context, p records.Place, b records.Bucket) error {
	var puts []records.Put
	bytes := int64(len(p.Bytes()))
	for _, r := range slices.Concat(b.Records, b.Witnesses) {
		puts = append(puts, records.Put{Place: p, Record: r})
		bytes += int64(len(r.Bytes()))
	}
	if !n.cache.fill(p, bytes) {
		n.brims.reach(brimCache)
		return errNoBudget
	}
	if err := n.store.Datastore().Put(ctx, copyKey(p), p.Bytes()); err != nil {
		return fmt.Errorf("note a copy: %w", err)
	}
	outcomes, err := n.store.MergeAs(ctx, datastore.Cached, puts)
	if err != nil {
		return fmt.Errorf("store a copy: %w", err)
	}
	if err := n.store.Carried(ctx, gone(p, outcomes)); err != nil {
		return fmt.Errorf("store a copy: %w", err)
	}
	return nil
}

// gone is what a place no longer holds by right. It is for members to carry that
// down: the copy had it from them.
func gone(p records.Place, outcomes []records.Outcome) (out []records.Put) {
	for _, o := range outcomes {
		for _, r := range o.Displaced {
			out = append(out, records.Put{Place: p, Record: r})
		}
	}
	return out
}

// offerCopy tells the members of a place that there is a copy of it here, and returns
// for how long any of them names it.
func (n *Node) offerCopy(ctx context.Context, p records.Place) (longest time.Duration, err error) {
	members, err := n.members(ctx, p)
	if err != nil {
		return 0, err
	}
	name, err := exchange.SealCopy(n.config.Identity, n.ownAddrs())
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, n.config.FetchTimeout)
	defer cancel()
	leases := make([]time.Duration, len(members))
	var g errgroup.Group
	for i, m := range members {
		g.Go(func() error {
			named, err := n.client.Offer(ctx, m, name, []records.Place{p})
			if err == nil {
				leases[i] = named[0]
			}
			return err
		})
	}
	if err = g.Wait(); slices.Max(leases) > 0 {
		err = nil // one that names us is enough
	}
	return slices.Max(leases), err
}

// ownAddrs are the addresses at which others reach this node, the best first.
func (n *Node) ownAddrs() []ma.Multiaddr {
	addrs := slices.Clone(n.host.Addrs())
	slices.SortStableFunc(addrs, func(a, b ma.Multiaddr) int { return addrRank(a.String()) - addrRank(b.String()) })
	return addrs
}

// dropCopy gives a copy up, unless there is another reason to keep it by now.
func (n *Node) dropCopy(ctx context.Context, p records.Place) error {
	n.copies.writing.Lock() // so that nothing is written of a followed tree meanwhile
	defer n.copies.writing.Unlock()
	if !n.holds(p) {
		if err := n.store.Drop(ctx, []records.Place{p}); err != nil {
			return fmt.Errorf("drop a copy: %w", err)
		}
		n.copies.spoil(p) // if it is followed since
	}
	return n.release(ctx, p)
}

// release forgets that what is kept of a place is a copy, and leaves it there.
func (n *Node) release(ctx context.Context, p records.Place) error {
	n.cache.end(p, time.Now())
	if err := n.store.Datastore().Delete(ctx, copyKey(p)); err != nil {
		return fmt.Errorf("forget a copy: %w", err)
	}
	return nil
}

// copiesPrefix is where the store remembers which places are copies, so that those
// of a run that ended are dropped in the next.
const copiesPrefix = "/node/copies"

func copyKey(p records.Place) ds.Key {
	at := p.Coordinate()
	return ds.NewKey(copiesPrefix + "/" + hex.EncodeToString(at[:]))
}

// dropLeftovers drops the copies of the last run.
func (n *Node) dropLeftovers(ctx context.Context) error {
	found, err := n.store.Datastore().Query(ctx, query.Query{Prefix: copiesPrefix})
	if err != nil {
		return err
	}
	entries, err := found.Rest()
	if err != nil {
		return err
	}
	var bad error
	for _, e := range entries {
		p, err := records.ParsePlace(e.Value)
		switch {
		case err != nil:
			err = fmt.Errorf("note %s: %w", e.Key, err)
			bad = errors.Join(bad, err, n.store.Datastore().Delete(ctx, ds.RawKey(e.Key)))
		case !n.cache.keeps(p): // else it is of this run already
			bad = errors.Join(bad, n.dropCopy(ctx, p))
		}
	}
	return bad
}

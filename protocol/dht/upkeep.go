package dht

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

const (
	// firstSamples is how many random keys are looked up before we are ready; later
	// it is one a round.
	firstSamples = 4

	// Nodes of the table that were not heard of for staleAge are pinged, staleWidth
	// of them a round. The library would keep dead ones for hours.
	staleAge   = 10 * time.Minute
	staleWidth = 16
)

// estimate updates the size of the network: exactly when our surroundings are all
// of it, else, in full rounds, from lookups of random keys, which nobody can choose
// for us.
func (k *keeper) estimate(ctx context.Context, ground region, found result, full bool) {
	switch {
	case ground.bits == 0 && found.complete:
		k.rule.Count(len(found.contacts)+k.counted(), k.cfg.Now())
		return
	case !full:
		return
	}
	samples := 1
	if !k.joined {
		samples = firstSamples
	}
	limit := k.rule.SampleWidth()
	for _, f := range k.lookups(ctx, slices.Repeat([]region{{}}, samples), limit) {
		k.sample(f, limit)
	}
}

// sample takes what a lookup of a random key found, but for those that crowd: else one
// operator's ids would make the network as large, and so all neighbourhoods as small, as
// he likes.
func (k *keeper) sample(f lookup, limit int) {
	all := slices.Concat(f.contacts, k.member())
	switch {
	case f.silent():
	case f.complete:
		k.rule.Count(len(all), k.cfg.Now())
	case len(f.contacts) >= limit || len(f.crowd) > 0: // some of those named crowded, so fewer were found
		target := records.Coordinate(sha256.Sum256([]byte(f.key)))
		sortByDistance(target, all)
		distances := make([]float64, min(limit, len(all)))
		for i, c := range all[:len(distances)] {
			distances[i] = fraction(target, c.at)
		}
		k.rule.Sample(distances, k.wire.table.lib.Size()+k.counted(), k.cfg.Now())
	}
}

// refresh keeps the buckets of the table filled in which nobody looks for anything.
func (k *keeper) refresh(ctx context.Context) {
	most, now := refreshWidth, k.cfg.Now()
	if !k.joined { // the searches so far went by the few nodes that were known
		most, now = maxPrefix, now.Add(refreshAge)
	}
	due := k.wire.visits.due(most, k.census(), k.rule.Size(), k.k, now)
	regions := make([]region, len(due))
	for i, bucket := range due {
		regions[i] = sibling(k.self.at, bucket)
	}
	k.lookups(ctx, regions, 2*k.k)
}

// seen is from how many shared bits on a search for those nearest to us has asked all
// there are.
func (k *keeper) seen(ground region, found result) int {
	switch n := len(found.contacts); {
	case found.complete:
		return ground.bits
	case n == bucketSize(k.k):
		return k.self.at.SharedBits(found.contacts[n-1].at) + 1
	default:
		return maxPrefix
	}
}

// A lookup is a search of a region from a random key in it.
type lookup struct {
	result
	key string
}

// lookups searches regions at the same time. What fails is left out.
func (k *keeper) lookups(ctx context.Context, regions []region, limit int) []lookup {
	found := make([]lookup, len(regions))
	failed := make([]bool, len(regions))
	var wg sync.WaitGroup
	for i, r := range regions {
		wg.Go(func() {
			key := keyIn(r)
			res, err := k.wire.search(ctx, key, r.bits, limit, patient)
			found[i], failed[i] = lookup{result: res, key: key}, err != nil
		})
	}
	wg.Wait()
	kept := found[:0]
	for i, f := range found {
		if !failed[i] {
			kept = append(kept, f)
		}
	}
	return kept
}

// stale is the nodes of the table that were not heard of for the longest.
func (k *keeper) stale() (ids []peer.ID) {
	infos := k.wire.table.lib.GetPeerInfos()
	slices.SortFunc(infos, func(a, b kb.PeerInfo) int {
		return a.LastSuccessfulOutboundQueryAt.Compare(b.LastSuccessfulOutboundQueryAt)
	})
	for _, p := range infos[:min(staleWidth, len(infos))] {
		if time.Since(p.LastSuccessfulOutboundQueryAt) > staleAge {
			ids = append(ids, p.Id)
		}
	}
	return ids
}

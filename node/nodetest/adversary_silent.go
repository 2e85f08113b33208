package nodetest

import (
	"context"
	"errors"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// Silent accepts every request of x's store and never answers one. Its connections
// live, it routes, and it asks others as before.
func Silent(x *Node) Adversary {
	mute := mute{x.disguise.left}
	return Adversary{
		Lie:  func(starling.ServedStore) starling.ServedStore { return mute },
		Mask: func(starling.ServedHoldings) starling.ServedHoldings { return mute },
	}
}

var errLeft = errors.New("the node has ended")

// mute keeps everybody waiting until the node ends, or they do.
type mute struct{ left <-chan struct{} }

func (m mute) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	select {
	case <-m.left:
		return make([]records.Outcome, len(puts)), errLeft
	case <-ctx.Done():
		return make([]records.Outcome, len(puts)), ctx.Err()
	}
}

func (m mute) Bucket(records.Query) (records.Bucket, error) {
	<-m.left
	return records.Bucket{}, errLeft
}

func (m mute) Fingerprint(_, _ reconcile.Bound) (records.Fingerprint, error) {
	<-m.left
	return records.Fingerprint{}, errLeft
}

func (m mute) List(_, _ reconcile.Bound, _ int) ([]reconcile.Element, error) {
	<-m.left
	return nil, errLeft
}

func (m mute) Standing(records.ItemKey, []records.Coordinate) ([]records.Put, error) {
	<-m.left
	return nil, errLeft
}

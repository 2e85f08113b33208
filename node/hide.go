package node

import (
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// discreet answers others from a store, but for copies that are only here because
// this node follows them: to show them would tell whom it follows. Of such a place
// it has nothing, like any node that is not a member. Nor does it answer for what is
// still being gathered here.
type discreet struct {
	exchange.Store

	node *Node
}

func (d discreet) Bucket(q records.Query) (records.Bucket, error) {
	if d.node.followed.tells(q.Place) && !d.node.ours(q.Place) {
		return records.NewState(d.node.config.Network, q.Place).Bucket(q), nil
	}
	if err := d.node.answersFor(q.Place); err != nil {
		return records.Bucket{}, err
	}
	return d.Store.Bucket(q)
}

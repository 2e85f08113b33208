package node

import (
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// discreet answers others from a store, but for copies that are only here because
// this node follows them: to show them would tell whom it follows. Of such a place
// it knows nothing, like any node that is not a member. Nor does it answer for what
// is still being gathered here.
//
// To know nothing is not to hold nothing. When a neighbourhood has lost most of its
// nodes, readers ask those next to it as well; if these showed an empty place they
// would soon be the majority, and nobody would wait for who has the posts.
type discreet struct {
	exchange.Store

	node *Node
}

func (d discreet) Bucket(q records.Query) (records.Bucket, error) {
	if d.node.followed.tells(q.Place) && !d.node.ours(q.Place) {
		return records.Bucket{}, errNotOurs
	}
	return d.node.answer(d.Store, q)
}

// answer is what a store has to say to a query, of places that this node may be
// asked about.
func (n *Node) answer(s interface {
	Bucket(q records.Query) (records.Bucket, error)
}, q records.Query,
) (records.Bucket, error) {
	if !n.isReady() { // it does not know yet whom to fill it from
		return records.Bucket{}, errNotFilled
	}
	if err := n.answersFor(q.Place); err != nil {
		return records.Bucket{}, err
	}
	b, err := s.Bucket(q)
	if err == nil && b.Count == 0 && len(b.Witnesses) == 0 && !n.dht.Holds(q.Place.Coordinate()) {
		return records.Bucket{}, errNotOurs
	}
	return b, err
}

var errNotOurs = &exchange.Refusal{Code: exchange.NotAMember, Sentence: "this node knows nothing of this place, which is others' to hold"}

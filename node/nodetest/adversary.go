package nodetest

import (
	"sync/atomic"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// An Adversary is a part that a node plays against the others: what it answers from,
// and what it lets them compare with what they hold. A part that has no [Lie] or no
// Mask is true there. Each file adversary_*.go and lie*.go is one; what none of them
// can do is told by the tests that use it.
type Adversary struct {
	Lie  Lie
	Mask Mask
}

// A Mask makes of what a node truly holds what others are shown of it when they
// compare it with what they hold.
type Mask func(truth starling.ServedHoldings) starling.ServedHoldings

// Play has the node play a part from now on, and no other any more. The zero
// Adversary is an honest node.
func (x *Node) Play(a Adversary) {
	x.disguise.wear(a.Lie)
	x.masks.wear(a.Mask)
}

// masks is what a node's server compares by: the truth, or what it is made to be.
type masks struct {
	truth starling.ServedHoldings
	worn  atomic.Pointer[starling.ServedHoldings]
}

func (m *masks) serve(truth starling.ServedHoldings) starling.ServedHoldings {
	m.truth = truth
	m.wear(nil)
	return m
}

func (m *masks) wear(k Mask) {
	h := m.truth
	if k != nil {
		h = k(h)
	}
	m.worn.Store(&h)
}

func (m *masks) Fingerprint(from, to reconcile.Bound) (records.Fingerprint, error) {
	return (*m.worn.Load()).Fingerprint(from, to)
}

func (m *masks) List(from, to reconcile.Bound, limit int) ([]reconcile.Element, error) {
	return (*m.worn.Load()).List(from, to, limit)
}

func (m *masks) Standing(key records.ItemKey, at []records.Coordinate) ([]records.Put, error) {
	return (*m.worn.Load()).Standing(key, at)
}

package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// hollow shows nothing of what it holds to those who compare.
type hollow struct{}

func (hollow) Fingerprint(_, _ reconcile.Bound) (records.Fingerprint, error) {
	return records.Fingerprint{}, nil
}

func (hollow) List(_, _ reconcile.Bound, _ int) ([]reconcile.Element, error) { return nil, nil }

func (hollow) Standing(records.ItemKey, []records.Coordinate) ([]records.Put, error) {
	return nil, datastore.ErrNotFound
}

// Healing is no lever: who says that it lacks everything is given a thousand records
// in one comparison, and may fetch the others itself.
func TestGive_bounded(t *testing.T) {
	const most = 1024
	network := shallow(t, 4, 64)
	simulate(t, nodetest.Config{Nodes: 2, Network: network, Links: nodetest.LinksConfig{Seed: 43}, Tune: healing(5 * time.Minute)}, func(ctx context.Context, net *nodetest.Network) {
		net.Plant(ctx, library(t, network, 900))
		giver := net.Nodes[0]
		if n := giver.Entries(); n < 3*most/2 {
			t.Fatalf("%d entries are not enough", n)
		}
		net.Nodes[1].Play(nodetest.Adversary{Mask: func(node.ServedHoldings) node.ServedHoldings { return hollow{} }})
		before := giver.Status().Healing.Given
		for range 240 { // until the first comparison
			if net.Pass(10 * time.Second); giver.Status().Healing.Given > before {
				break
			}
		}
		if given := giver.Status().Healing.Given - before; given < most/2 || given > most {
			t.Errorf("%d records given, want %d at most", given, most)
		}
	})
}

package node

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// Who says that it is still gathering is given nothing of that, and the rest as ever.
func TestGathered_isNotGiven(t *testing.T) {
	p := peer.ID("a neighbour")
	near, far := standsAt(p), standsAt(p)
	near[1] ^= 1  // shares 15 bits
	far[0] ^= 128 // none
	for _, c := range []struct {
		whole int
		want  []records.Coordinate
	}{
		{0, []records.Coordinate{near, far}},
		{1, []records.Coordinate{near}},
		{15, []records.Coordinate{near}},
		{16, nil},
		{257, nil},
	} {
		found := exchange.Found{Differences: []reconcile.Difference{{At: near}, {At: far}}, Whole: c.whole}
		got := gathered(found, p)
		if len(got) != len(c.want) {
			t.Errorf("%d bits: %d differences, want %d", c.whole, len(got), len(c.want))
		}
		for i := range min(len(got), len(c.want)) {
			if got[i].At != c.want[i] {
				t.Errorf("%d bits: %x is given", c.whole, got[i].At[:2])
			}
		}
	}
}

package dht_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// Where a part of the ring is empty and the part beside it crowded, a place in the
// empty one has the crowd for its neighbourhood, whoever asks.
func TestMembers_emptyBesideCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNet(t, "uneven", records.Params{Neighbourhood: 4}, nodetest.NewLinks(nodetest.LinksConfig{Seed: 1}))
		var first *testNode
		crowd, others := atMost(26), atMost(8) // a survey finds at most 20
		for number := 0; crowd+others > 0; number++ {
			id, err := peer.IDFromPrivateKey(keyOf(t, number))
			if err != nil {
				t.Fatal(err)
			}
			switch quarter := sha256.Sum256([]byte(id))[0] >> 6; {
			case quarter == 0 && crowd > 0:
				crowd--
			case quarter > 1 && others > 0:
				others--
			default:
				continue
			}
			if first == nil {
				first = n.addNumber(number, nil)
			} else {
				n.addNumber(number, through(first))
			}
		}
		pass(time.Minute)
		for _, node := range n.nodes {
			n.eventually(time.Minute, func() error {
				hood, err := node.Members(t.Context(), records.Coordinate{0x40, 1})
				if err != nil || len(hood.Peers) < 4 {
					return fmt.Errorf("node %d finds %d members by %d bits, %w", node.number, len(hood.Peers), hood.Bits, err)
				}
				return nil
			})
		}
	})
}

package api_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node"
)

// Status tells with whom a node compared what it holds, what that moved, and how
// much it may.
func TestStatus_healing(t *testing.T) {
	s := serve(t)
	at := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	s.healing = node.Healing{Compared: at, Taken: 64, Given: 5, Dropped: 2}
	s.mending = node.Mending{
		Rate: 1 << 20, Taken: 7221, Given: 600, Neighbours: 3,
		Compared: []node.Partner{{ID: peer.ID("x"), At: at, Whole: true}, {ID: peer.ID("y"), At: at.Add(-time.Minute)}},
	}
	got, err := s.client(t).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := got.Healing
	if h.Filling || h.Compared == nil || !h.Compared.Equal(at) || h.Neighbours != 3 || h.Rate != 1<<20 {
		t.Errorf("healing is %+v", h)
	}
	if h.Taken != 64 || h.Given != 5 || h.Dropped != 2 || h.TakenBytes != 7221 || h.GivenBytes != 600 {
		t.Errorf("what moved is %+v", h)
	}
	if len(h.With) != 2 || h.With[0].PeerID != peer.ID("x").String() || !h.With[0].Whole || h.With[1].Whole || !h.With[1].At.Equal(at.Add(-time.Minute)) {
		t.Errorf("compared with %+v", h.With)
	}
}

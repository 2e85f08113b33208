package node

import (
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Of more connections than a node may have, those go first that count least. One over
// which somebody read or wrote lately, they or we, counts more than one that nobody needs,
// and less than one to a node of the routing table, which the library gives five: whoever
// reads page after page is not cut off between two of them by nodes that are merely
// connected, and pays no handshake for the next. What nodes ask for the network's upkeep
// does not count, because all of them do.
const (
	usedTag   = "used"
	usedMost  = 4
	usedFades = 2 * time.Minute // until it counts one less; the whole of it lasts four times as long
)

// uses remembers which connections are read and written over. A nil one remembers nothing.
type uses struct{ tag connmgr.DecayingTag }

func newUses(m connmgr.ConnManager) (*uses, error) {
	decayer, ok := connmgr.SupportsDecay(m)
	if !ok {
		return nil, nil
	}
	tag, err := decayer.RegisterDecayingTag(usedTag, usedFades, connmgr.DecayFixed(1), connmgr.BumpSumBounded(0, usedMost))
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}
	return &uses{tag}, nil
}

// by notes a question of p, or one to it.
func (u *uses) by(p peer.ID) {
	if u != nil {
		_ = u.tag.Bump(p, 1) // it is busy: the next question will be noted
	}
}

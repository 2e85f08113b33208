package node

import (
	"errors"
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

// uses remembers which connections are read and written over.
type uses struct{ tag connmgr.DecayingTag }

// errNoDecay is a connection manager that is not the library's own.
var errNoDecay = errors.New("connection manager has no decaying tags")

func newUses(m connmgr.ConnManager) (*uses, error) {
	decayer, ok := connmgr.SupportsDecay(m)
	if !ok {
		return nil, errNoDecay
	}
	tag, err := decayer.RegisterDecayingTag(usedTag, usedFades, connmgr.DecayFixed(1), connmgr.BumpSumBounded(0, usedMost))
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}
	return &uses{tag}, nil
}

// by notes a question of p, or one to it.
func (u *uses) by(p peer.ID) {
	_ = u.tag.Bump(p, 1) // an error says that it is busy: the next question will be noted
}

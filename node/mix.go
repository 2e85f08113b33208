package node

import (
	"math/rand/v2"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// mixPreferred is how many members of a place a reader asks because they are near:
// those whom it asks for records, and some for fingerprints, so that most answers come
// soon. The others whom it asks are chosen by chance: who is near, on the ring or by
// latency, can have been made so, and a reader who asked no others would hear of a
// place what they want it to.
const mixPreferred = readFull + 4

// mixed are members in the order in which they are asked, given the order in which
// they are preferred.
func mixed(members []peer.ID) []peer.ID {
	if len(members) <= readFull+readPrint {
		return members // all are asked
	}
	out := slices.Clone(members)
	rest := out[mixPreferred:]
	rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	return out
}

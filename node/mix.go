package node

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// mixPreferred is how many members of a place a reader asks because they are near:
// those whom it asks for records, and some for fingerprints, so that most answers come
// soon. The others whom it asks are chosen by chance: who is near, on the ring or by
// latency, can have been made so, and a reader who asked no others would hear of a
// place what they want it to.
const mixPreferred = readFull + 4

// mixTerm is how long chance has the same favourites, for all places: what a page is
// read from is asked again for the next, over connections that are there, and in fewer
// frames. Whoever is unlucky with them is not for long.
const mixTerm = 5 * time.Minute

// A mix is a node's own chance, which nobody else can foresee.
type mix struct{ seed maphash.Seed }

func newMix() mix { return mix{maphash.MakeSeed()} }

// order is that in which members are asked at some time, given the order in which they
// are preferred.
func (m mix) order(members []peer.ID, now time.Time) []peer.ID {
	if len(members) <= readFull+readPrint {
		return members // all are asked
	}
	term := binary.BigEndian.AppendUint64(nil, uint64(now.Unix()/int64(mixTerm.Seconds())))
	luck := make(map[peer.ID]uint64, len(members))
	for _, p := range members[mixPreferred:] {
		luck[p] = maphash.Bytes(m.seed, append(term, p...))
	}
	out := slices.Clone(members)
	slices.SortFunc(out[mixPreferred:], func(p, q peer.ID) int { return cmp.Compare(luck[p], luck[q]) })
	return out
}

package dht

import (
	"math/rand/v2"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// preferred keeps at most limit of members, which are sorted nearest first: the
// nearest half, on which readers and writers agree, and of the rest those known
// longest, so that a crowd of newcomers displaces nobody. Those that crowd, more than
// a few of one operator, come last, be they ever so near.
func preferred(members []rankedMember, limit int, crowding func(longestKnown []rankedMember) map[peer.ID]bool) []rankedMember {
	if len(members) <= limit {
		return members
	}
	rest := slices.Clone(members)
	rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] }) // of equals, else, the nearest, who may have been made so
	slices.SortStableFunc(rest, func(a, b rankedMember) int { return a.since.Compare(b.since) })
	crowd := crowding(rest)
	kept := make(map[peer.ID]bool, limit)
	for _, m := range members {
		if len(kept) < limit/2 && !crowd[m.id] {
			kept[m.id] = true
		}
	}
	for _, crowds := range []bool{false, true} {
		for _, m := range rest {
			if len(kept) < limit && crowd[m.id] == crowds {
				kept[m.id] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(members), func(m rankedMember) bool { return !kept[m.id] })
}

// crowding is those of members, longest known first, that are more than a few of their
// IP group. Who has only told its addresses counts by those.
func (d *DHT) crowding(members []rankedMember) map[peer.ID]bool {
	crowd, seen := map[peer.ID]bool{}, census{}
	for _, m := range members {
		crowd[m.id] = !d.crowds.admits(m.groups, seen)
	}
	return crowd
}

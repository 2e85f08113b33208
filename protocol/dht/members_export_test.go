package dht

import (
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// AtMost keeps so many of nodes that stand at some coordinates, for a place whose core
// shares so many bits with it.
func AtMost(at []records.Coordinate, c records.Coordinate, bits, limit int) (kept []records.Coordinate) {
	var ranked []rankedMember
	for i, a := range at {
		m := &member{contact: contact{id: peer.ID(fmt.Sprint(i)), at: a}}
		ranked = append(ranked, rankedMember{word(c, 0) ^ word(a, 0), m})
	}
	slices.SortFunc(ranked, func(a, b rankedMember) int { return nearer(c, a.at, b.at) })
	for _, m := range new(DHT).atMost(ranked, regionOf(c, bits), limit) {
		kept = append(kept, m.at)
	}
	return kept
}

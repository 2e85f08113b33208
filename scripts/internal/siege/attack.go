package siege

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/colony"
)

// FirstPuppet is a number that no honest node has.
const FirstPuppet = 1000

// floodSize is as many records as a place holds.
const floodSize = 64

// Flood is other people's replies to the key's thread, older than all that will be
// put there.
func Flood(ctx context.Context, c *campaign.Campaign, n records.Network, k Key) (out []*records.Record, err error) {
	author := (&colony.Colony{Campaign: c, Network: n}).Author(3)
	for i := range floodSize {
		r, err := author.Reply(ctx, time.Now().Add(-time.Minute-time.Duration(i)*time.Second), k.Root, fmt.Sprintf("flood %d", i))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Nearest are nodes, nearest to a point of the ring first.
func Nearest(infos []peer.AddrInfo, at records.Coordinate) []peer.AddrInfo {
	distance := func(i peer.AddrInfo) []byte {
		d := sha256.Sum256([]byte(i.ID))
		for k := range d {
			d[k] ^= at[k]
		}
		return d[:]
	}
	out := slices.Clone(infos)
	slices.SortFunc(out, func(a, b peer.AddrInfo) int { return bytes.Compare(distance(a), distance(b)) })
	return out
}

// Pass lets virtual time pass.
func Pass(d time.Duration) { <-time.After(d) }

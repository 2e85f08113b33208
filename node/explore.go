package node

import (
	"context"
	"time"

	"github.com/starling-social/starling/records"
)

const (
	// exploreRegions is in how many neighbourhoods a network may fall for a node to
	// get to know all of them: of 16 nodes each and more, so some 500 to 1,000 nodes.
	exploreRegions = 32
	exploreTime    = time.Minute
)

// explore looks up all neighbourhoods of a network that is not large, one after the
// other, so that the first timeline that is read does not wait for a search at each
// of its rounds. In a larger one nobody reads from all of them.
func (n *Node) explore(ctx context.Context, bits int) {
	if 1<<bits > exploreRegions {
		return
	}
	n.tasks.start(ctx, exploreTime, func(ctx context.Context) {
		for i := range 1 << bits {
			region := records.Coordinate{byte(i << (8 - bits))}
			if _, err := n.dht.Members(ctx, region); err != nil {
				n.voices.read.Debug("explore", "region", i, "bits", bits, "err", err)
			}
			if ctx.Err() != nil {
				return
			}
		}
	})
}

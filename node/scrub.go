package node

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/starling-social/starling/records"
)

// What a disk damages is found by whoever reads it, put aside, and taken from a neighbour
// again (harmed.go). So that this holds for what nobody reads too, a node reads
// all that it holds itself, once in a while and a little at a time.

const (
	scrubBatch = 256         // entries at a time: a few milliseconds
	scrubOften = time.Second // between two batches, at least
	scrubRare  = time.Hour   // at most; and besides after an error
)

// scrub reads what is in the store until ctx ends. It begins anywhere, so that a node
// which runs for an hour a day comes to all of it, too.
func (n *Node) scrub(ctx context.Context) error {
	at := anywhere()
	for pause(ctx, jitter(scrubPace(n.config.Scrub, n.store.Stats().Entries))) {
		next, more, err := n.store.Scrub(ctx, at, scrubBatch)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			n.voices.store.Warn("look through what is kept", "err", err)
			at = anywhere()
			pause(ctx, scrubRare)
		case !more:
			at = records.Coordinate{}
		default:
			at = next
		}
	}
	return nil
}

// scrubPace is how long to wait between two batches so that so many entries take a
// given time.
func scrubPace(all time.Duration, entries int64) time.Duration {
	batches := entries/scrubBatch + 1
	return min(max(all/time.Duration(batches), scrubOften), scrubRare)
}

func anywhere() (at records.Coordinate) {
	for i := range at {
		at[i] = byte(rand.UintN(1 << 8))
	}
	return at
}

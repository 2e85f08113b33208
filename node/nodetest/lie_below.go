package nodetest

import (
	"context"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Below stores nothing and says of every record, wherever it belongs, that it
// belongs below: the bucket ends, it says, where bound puts it. A bound at or
// after the record's position would give it away at once.
func Below(network records.Network, bound func(at records.Position) records.Position) Lie {
	return func(truth starling.ServedStore) starling.ServedStore {
		return told{bucket: truth.Bucket, merge: func(_ context.Context, puts []records.Put) ([]records.Outcome, error) {
			out := make([]records.Outcome, len(puts))
			for i, p := range puts {
				out[i].Status = records.Below
				if network.Capacity(p.Place) > 0 {
					out[i].Bound = bound(p.Place.Position(p.Record))
				}
			}
			return out, nil
		}}
	}
}

// LowBound is a bound below all that anybody writes, so that a writer who believes
// it takes the place for full for ever.
func LowBound(records.Position) records.Position { return records.Position{Created: 1} }

// HighBound is a bound just below the record, as high as can be said of it.
func HighBound(at records.Position) records.Position {
	at.Created--
	return at
}

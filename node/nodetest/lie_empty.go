package nodetest

import (
	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Empty says of every bucket that nothing is there.
func Empty() Lie {
	return func(truth starling.ServedStore) starling.ServedStore {
		return showing(truth, func(q records.Query, _ records.Bucket) records.Bucket {
			return records.Bucket{Place: q.Place}
		})
	}
}

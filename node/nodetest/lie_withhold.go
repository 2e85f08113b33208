package nodetest

import (
	"slices"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Withhold shows buckets as if the records that hidden picks had never been.
func Withhold(hidden func(r *records.Record) bool) Lie {
	return func(truth starling.ServedStore) starling.ServedStore {
		return showing(truth, func(_ records.Query, b records.Bucket) records.Bucket {
			left := slices.DeleteFunc(slices.Clone(b.Records), hidden)
			b.Count -= len(b.Records) - len(left)
			b.Full = false
			b.Records, b.Witnesses = left, slices.DeleteFunc(slices.Clone(b.Witnesses), hidden)
			return b
		})
	}
}

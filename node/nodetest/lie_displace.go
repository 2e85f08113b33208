package nodetest

import (
	"context"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Displace says that every put displaced two records, real ones that were put to
// it before and stay where they are: writers who believe it carry them down for
// nothing.
func Displace() Lie {
	return func(truth starling.ServedStore) starling.ServedStore {
		h := newHearsay()
		merge := h.hear(truth.Merge)
		return told{bucket: truth.Bucket, merge: func(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
			out, err := merge(ctx, puts)
			for i := range out {
				if out[i].Status == 0 {
					continue
				}
				known := h.of(puts[i].Place)
				out[i].Displaced = known[:min(len(known), 2)]
			}
			return out, err
		}}
	}
}

package nodetest

import (
	"context"
	"slices"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Swallow says of every record that it is stored, and stores none.
func Swallow() Lie {
	return func(truth starling.ServedStore) starling.ServedStore {
		return told{bucket: truth.Bucket, merge: func(_ context.Context, puts []records.Put) ([]records.Outcome, error) {
			return slices.Repeat([]records.Outcome{{Status: records.Stored}}, len(puts)), nil
		}}
	}
}

// Refuse stores nothing and refuses every put, with the code of err if that is a
// refusal.
func Refuse(err error) Lie {
	return func(truth starling.ServedStore) starling.ServedStore {
		return told{bucket: truth.Bucket, merge: func(_ context.Context, puts []records.Put) ([]records.Outcome, error) {
			return make([]records.Outcome, len(puts)), err
		}}
	}
}

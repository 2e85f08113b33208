package nodetest

import (
	"context"
	"sync/atomic"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Liar answers each request by the next of some lies, so that it contradicts itself as
// much as it does others. What neighbours compare with is the truth.
func Liar(first Lie, more ...Lie) Adversary {
	return Adversary{Lie: func(truth starling.ServedStore) starling.ServedStore {
		l := &liar{tales: []starling.ServedStore{first(truth)}}
		for _, m := range more {
			l.tales = append(l.tales, m(truth))
		}
		return l
	}}
}

type liar struct {
	tales []starling.ServedStore
	told  atomic.Uint64
}

func (l *liar) next() starling.ServedStore {
	return l.tales[l.told.Add(1)%uint64(len(l.tales))]
}

func (l *liar) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	return l.next().Merge(ctx, puts)
}

func (l *liar) Bucket(q records.Query) (records.Bucket, error) { return l.next().Bucket(q) }

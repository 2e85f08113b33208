package nodetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/starling-social/starling/datastore"
	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// A Past is a second store, in which a node keeps what was: it learns of some records
// that the true one learns of, and never of the others. Who answers from it, and is
// compared by it, brings back what has been replaced.
type Past struct {
	node  *Node
	store *datastore.Store
	keeps func(*records.Record) bool
}

// newPast is the past of x, which begins with what x holds now. It ends with the
// network.
func (n *Network) newPast(ctx context.Context, x *Node, keeps func(*records.Record) bool) *Past {
	n.t.Helper()
	p := &Past{node: x, store: datastore.OpenMemory(n.network), keeps: keeps}
	n.t.Cleanup(func() {
		if err := p.store.Close(); err != nil {
			n.t.Errorf("close the past of node %d: %v", x.Index, err)
		}
	})
	if err := p.begin(ctx); err != nil {
		n.t.Fatalf("begin the past of node %d: %v", x.Index, err)
	}
	return p
}

func (p *Past) begin(ctx context.Context) error {
	for e, err := range p.node.store.All() {
		if err != nil {
			return err
		}
		r, err := p.node.store.Record(e.Key)
		if err != nil {
			return err
		}
		if err := p.learn(ctx, []records.Put{{Place: e.Place, Record: r}}); err != nil {
			return err
		}
	}
	return nil
}

// learn keeps of what was put what is to be kept.
func (p *Past) learn(ctx context.Context, puts []records.Put) error {
	var kept []records.Put
	for _, put := range puts {
		if p.keeps(put.Record) {
			kept = append(kept, put)
		}
	}
	if _, err := p.store.Merge(ctx, kept); err != nil {
		return fmt.Errorf("learn: %w", err)
	}
	return nil
}

// adversary answers puts by the truth and everything else from the past.
func (p *Past) adversary() Adversary {
	return Adversary{
		Lie: func(truth starling.ServedStore) starling.ServedStore {
			return told{bucket: p.store.Bucket, merge: func(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
				out, err := truth.Merge(ctx, puts)
				return out, errors.Join(err, p.learn(ctx, puts))
			}}
		},
		Mask: func(starling.ServedHoldings) starling.ServedHoldings { return p.store.Holdings() },
	}
}

// Push publishes all of the past again, as if it were new: puts it to the members of
// every place and announces it to those who watch. It returns how many records those
// were.
func (p *Past) Push(ctx context.Context) (n int, err error) {
	pushed := map[records.ID]bool{}
	for e, err := range p.store.All() {
		if err != nil {
			return n, err
		}
		if pushed[e.ID] {
			continue
		}
		pushed[e.ID] = true
		r, err := p.store.Record(e.Key)
		if err != nil {
			return n, err
		}
		n++
		// Members that have a newer version say so, so a majority may not be had.
		if _, err := p.node.PublishRecord(ctx, r, nil); err != nil && !errors.Is(err, starling.ErrNoQuorum) {
			return n, err
		}
	}
	return n, nil
}

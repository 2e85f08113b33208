package datastore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// nodeState is the store seen as a go-datastore: a namespace of the same
// database for what kad-dht and the node itself want to keep. A write is on disk
// when it returns, so Sync has nothing to do.
type nodeState struct{ store *Store }

// Datastore is a namespace for small state of the node, such as peers that it
// remembers. Closing it does nothing; it ends with the store.
func (s *Store) Datastore() ds.Batching { return nodeState{s} }

func nodeKey(k ds.Key) []byte { return append([]byte{sectionNode}, k.String()...) }

func (n nodeState) Get(_ context.Context, key ds.Key) (value []byte, err error) {
	err = n.store.read(func(v snapshot) error {
		value, err = v.get(nodeKey(key))
		return err
	})
	switch {
	case errors.Is(err, errNoKey):
		return nil, ds.ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return value, nil
}

func (n nodeState) Has(ctx context.Context, key ds.Key) (bool, error) {
	return ds.GetBackedHas(ctx, n, key)
}

func (n nodeState) GetSize(ctx context.Context, key ds.Key) (int, error) {
	return ds.GetBackedSize(ctx, n, key)
}

func (n nodeState) Put(ctx context.Context, key ds.Key, value []byte) error {
	return n.change(ctx, []nodeWrite{{nodeKey(key), append([]byte{}, value...)}})
}

func (n nodeState) Delete(ctx context.Context, key ds.Key) error {
	return n.change(ctx, []nodeWrite{{nodeKey(key), nil}})
}

func (n nodeState) Sync(context.Context, ds.Key) error { return nil }

func (n nodeState) Close() error { return nil }

// A nodeWrite sets a key, or with a nil value removes it.
type nodeWrite struct{ key, value []byte }

func (n nodeState) change(ctx context.Context, writes []nodeWrite) error {
	err := n.store.do(ctx, func(g *group) error { return g.writeNode(writes) })
	if err != nil {
		return fmt.Errorf("write node state: %w", err)
	}
	return nil
}

// writeNode changes the node's state and accounts for it.
func (g *group) writeNode(writes []nodeWrite) error {
	for _, w := range writes {
		if err := g.lookUpNode(w.key); err != nil {
			return err
		}
	}
	for _, w := range writes {
		size := 0
		if w.value == nil {
			g.batch.remove(w.key)
		} else {
			g.batch.set(w.key, w.value)
			size = len(w.key) + len(w.value)
		}
		g.stats.Bytes += int64(size - g.node[string(w.key)])
		g.node[string(w.key)] = size
	}
	return nil
}

// lookUpNode learns what a key of the node takes now.
func (g *group) lookUpNode(key []byte) error {
	if _, known := g.node[string(key)]; known {
		return nil
	}
	value, err := g.view.get(key)
	switch {
	case errors.Is(err, errNoKey):
		g.node[string(key)] = 0
	case err != nil:
		return fmt.Errorf("read what is there: %w", err)
	default:
		g.node[string(key)] = len(key) + len(value)
	}
	return nil
}

// Batch gathers writes that become visible and durable together.
func (n nodeState) Batch(context.Context) (ds.Batch, error) { return &nodeBatch{state: n}, nil }

type nodeBatch struct {
	state  nodeState
	writes []nodeWrite
}

func (b *nodeBatch) Put(_ context.Context, key ds.Key, value []byte) error {
	b.writes = append(b.writes, nodeWrite{nodeKey(key), append([]byte{}, value...)})
	return nil
}

func (b *nodeBatch) Delete(_ context.Context, key ds.Key) error {
	b.writes = append(b.writes, nodeWrite{nodeKey(key), nil})
	return nil
}

func (b *nodeBatch) Commit(ctx context.Context) error {
	writes := b.writes
	b.writes = nil
	return b.state.change(ctx, writes)
}

// Query goes through the keys under a prefix in their order, either way; any
// other order is made in memory. Results are read in stretches, so that nothing
// is held while the caller looks at one.
func (n nodeState) Query(ctx context.Context, q query.Query) (query.Results, error) {
	sp, rest := plan(q)
	next, stop := iter.Pull2(n.store.pages(sp))
	found := query.ResultsFromIterator(q, query.Iterator{
		Next: func() (query.Result, bool) {
			p, err, ok := next()
			if ok && err == nil {
				err = ctx.Err()
			}
			if !ok || err != nil {
				stop()
				return query.Result{Error: err}, ok
			}
			return query.Result{Entry: entryOf(p, q)}, true
		},
		Close: func() error { stop(); return nil },
	})
	return query.ResultsReplaceQuery(query.NaiveQueryApply(rest, found), q), nil
}

// plan is the span to go through for a query, and what is left to do to its keys.
func plan(q query.Query) (span, query.Query) {
	prefix := path.Clean("/" + q.Prefix)
	if prefix != "/" {
		prefix += "/"
	}
	sp := under(append([]byte{sectionNode}, prefix...))
	rest := q
	rest.Prefix = ""
	if len(q.Orders) > 0 {
		switch q.Orders[0].(type) {
		case query.OrderByKey, *query.OrderByKey:
			rest.Orders = nil
		case query.OrderByKeyDescending, *query.OrderByKeyDescending:
			rest.Orders, sp.backward = nil, true
		}
	}
	return sp, rest
}

func entryOf(p pair, q query.Query) query.Entry {
	e := query.Entry{Key: string(p.key[1:]), Size: len(p.value)}
	if !q.KeysOnly {
		e.Value = p.value
	}
	return e
}

package datastore

import (
	"bytes"
	"math"
	"sync"

	"github.com/google/btree"
)

// memory is the kv for simulations: a copy-on-write B-tree. It starts no
// goroutine and keeps nothing outside itself, so that any number of virtual-time
// bubbles in one process can have their own, which Pebble does not survive.
type memory struct {
	mu   sync.Mutex // protects tree
	tree *btree.BTreeG[pair]
}

// A pair is a key and its value. Neither is ever changed once in a tree.
type pair struct{ key, value []byte }

// memoryDegree is the branching of the tree: wide enough to be shallow, narrow
// enough that copying a node on write costs little.
const memoryDegree = 16

func newMemory() *memory {
	return &memory{tree: btree.NewG(memoryDegree, func(a, b pair) bool { return bytes.Compare(a.key, b.key) < 0 })}
}

func (m *memory) snapshot() (snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return memorySnapshot{m.tree.Clone()}, nil
}

func (m *memory) apply(b *batch) (func() error, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b.each(func(key, value []byte, remove bool) {
		if remove {
			m.tree.Delete(pair{key: key})
			return
		}
		m.tree.ReplaceOrInsert(pair{bytes.Clone(key), bytes.Clone(value)})
	})
	return func() error { return nil }, nil
}

func (m *memory) space() (diskSpace, error) { return diskSpace{free: math.MaxInt64, total: 0}, nil }

func (m *memory) failure() (damaged bool, err error) { return false, nil }

func (m *memory) close() error { return nil }

type memorySnapshot struct{ tree *btree.BTreeG[pair] }

func (s memorySnapshot) get(key []byte) ([]byte, error) {
	p, ok := s.tree.Get(pair{key: key})
	if !ok {
		return nil, errNoKey
	}
	return append([]byte{}, p.value...), nil
}

func (s memorySnapshot) scan(sp span, visit func(key, value []byte) bool) error {
	if !sp.backward {
		s.tree.AscendRange(pair{key: sp.low}, pair{key: sp.high}, func(p pair) bool { return visit(p.key, p.value) })
		return nil
	}
	s.tree.DescendLessOrEqual(pair{key: sp.high}, func(p pair) bool {
		if bytes.Equal(p.key, sp.high) {
			return true // the high end is not part of the span
		}
		return sp.holds(p.key) && visit(p.key, p.value)
	})
	return nil
}

func (s memorySnapshot) close() {}

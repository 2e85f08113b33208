package datastore_test

import (
	"errors"
	"iter"
	"sync/atomic"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"

	"github.com/starling-social/starling/datastore"
)

// A fence counts how a map is used, and what comes after it was closed.
type fence struct {
	reads, late atomic.Int64
	closed      atomic.Bool
}

func (f *fence) around(m datastore.KV) datastore.KV {
	late := func() {
		if f.closed.Load() {
			f.late.Add(1)
		}
	}
	return &datastore.Hooked{
		KV:         m,
		OnSnapshot: func() { f.reads.Add(1); late() },
		OnApply:    func(apply func() (func() error, error)) (func() error, error) { late(); return apply() },
		OnClose:    func() error { f.closed.Store(true); return nil }, // the test that made the map closes it
	}
}

var errDisk = errors.New("disk says no")

// A fault makes a map fail from when it is switched on.
type fault struct {
	on   atomic.Bool
	when string // "apply" or "sync"
}

func (f *fault) in(m datastore.KV) datastore.KV {
	return &datastore.Hooked{KV: m, OnApply: func(apply func() (func() error, error)) (func() error, error) {
		if f.on.Load() && f.when == "apply" {
			return nil, errDisk
		}
		durable, err := apply()
		if f.on.Load() && err == nil {
			durable = func() error { return errDisk }
		}
		return durable, err
	}}
}

// smallDisk is a disk of which a test says what is free.
type smallDisk struct{ free atomic.Int64 }

func (d *smallDisk) under(m datastore.KV) datastore.KV {
	return &datastore.Hooked{KV: m, Free: d.free.Load}
}

// slow makes a map not get its batches onto the disk until released.
func slow(m datastore.KV, release <-chan struct{}) datastore.KV {
	return &datastore.Hooked{KV: m, OnApply: func(apply func() (func() error, error)) (func() error, error) {
		durable, err := apply()
		return func() error { <-release; return durable() }, err
	}}
}

var dsKey = ds.NewKey("/some/key")

func firstError[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func queryAll(s *datastore.Store) error {
	results, err := s.Datastore().Query(bg, query.Query{})
	if err != nil {
		return err
	}
	_, err = results.Rest()
	return err
}

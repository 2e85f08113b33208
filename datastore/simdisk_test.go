package datastore_test

import (
	"errors"
	"testing"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// What was written to a simulated disk is there for the next store, which a full disk
// leaves readable.
func TestSimulatedDisk_outlivesStores(t *testing.T) {
	d := datastore.NewSimulatedDisk()
	cfg := datastore.Config{Network: network(t), Limits: datastore.Limits{Floor: 1 << 20}}
	puts := putsAt(records.LevelMonth, newWriter(t, cfg.Network).posts(2)...)
	for i := range 2 {
		s, err := d.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := s.Merge(bg, puts[:1]); err != nil {
				t.Fatal(err)
			}
		} else if e := s.Stats().Entries; e != 1 {
			t.Errorf("the second store has %d entries", e)
		}
		d.Free(0)
		if _, err := s.Merge(bg, puts[1:]); !errors.Is(err, datastore.ErrFull) {
			t.Errorf("a full disk takes a record: %v", err)
		}
		if c := s.Condition(); !errors.Is(c.Fault, datastore.ErrFull) || c.Free != 0 || c.Floor != 1<<20 {
			t.Errorf("a full disk is said to be %+v", c)
		}
		if _, err := s.Record(puts[0].Record.ItemKey()); err != nil {
			t.Errorf("a full disk gives back no record: %v", err)
		}
		d.Free(1 << 30)
		if c := s.Condition(); c.Fault != nil || c.Free != 1<<30 {
			t.Errorf("a disk with room is said to be %+v", c)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if c := s.Condition(); !errors.Is(c.Fault, datastore.ErrClosed) {
			t.Errorf("a closed store is said to be %+v", c)
		}
	}
}

// A broken disk is told of as it is, and loses nothing.
func TestSimulatedDisk_breaks(t *testing.T) {
	d := datastore.NewSimulatedDisk()
	n := network(t)
	s, err := d.Open(datastore.Config{Network: n})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	puts := putsAt(records.LevelMonth, newWriter(t, n).posts(2)...)
	if _, err := s.Merge(bg, puts[:1]); err != nil {
		t.Fatal(err)
	}
	d.Break(errDisk, nil)
	if _, err := s.Record(puts[0].Record.ItemKey()); !errors.Is(err, errDisk) {
		t.Errorf("a disk that cannot be read gives %v", err)
	}
	d.Break(nil, errDisk)
	if _, err := s.Record(puts[0].Record.ItemKey()); err != nil {
		t.Errorf("a disk that cannot be written to gives %v", err)
	}
	if _, err := s.Merge(bg, puts[1:]); !errors.Is(err, errDisk) {
		t.Errorf("a disk that cannot be written to takes a record: %v", err)
	}
}

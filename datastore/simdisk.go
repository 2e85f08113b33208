package datastore

import (
	"bytes"
	"log/slog"
	"math"
	"sync/atomic"
)

// A SimulatedDisk is what a store in memory lies on: what one store wrote is there
// for the next that is opened on it, as after a restart, and it fills up and breaks
// when it is told to. It is safe for concurrent use; of its stores one may be open at
// a time.
type SimulatedDisk struct {
	memory *memory
	free   atomic.Int64
	fault  atomic.Pointer[diskFault]
}

type diskFault struct{ read, write error }

// NewSimulatedDisk is an empty disk without end.
func NewSimulatedDisk() *SimulatedDisk {
	d := &SimulatedDisk{memory: newMemory()}
	d.free.Store(math.MaxInt64)
	d.fault.Store(&diskFault{})
	return d
}

// Open opens the store on the disk, or makes one, as [Open] does in a directory. A
// disk that is broken may not be opened.
func (d *SimulatedDisk) Open(cfg Config) (*Store, error) {
	cfg.Log = slog.New(slog.DiscardHandler)
	return open(d, cfg)
}

// Copy is a disk with all that is on this one now, and in order, as a backup of it is.
func (d *SimulatedDisk) Copy() *SimulatedDisk {
	c := NewSimulatedDisk()
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	c.memory.tree = d.memory.tree.Clone()
	return c
}

// Free says how many bytes are free from now on. What is written does not take of
// them.
func (d *SimulatedDisk) Free(bytes int64) { d.free.Store(bytes) }

// Break makes every read and every write of the disk fail with these errors from now
// on; nil lets them succeed.
func (d *SimulatedDisk) Break(read, write error) { d.fault.Store(&diskFault{read, write}) }

// Rot flips a bit in every nth record of those on the disk, as happens to what lies there
// for long, and returns in how many.
func (d *SimulatedDisk) Rot(nth int) (rotten int) {
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	var found []pair
	records := under([]byte{sectionRecord})
	seen := 0
	d.memory.tree.AscendRange(pair{key: records.low}, pair{key: records.high}, func(p pair) bool {
		if seen++; seen%nth == 0 {
			value := bytes.Clone(p.value)
			value[len(value)-1] ^= 1 // of the signature
			found = append(found, pair{p.key, value})
		}
		return true
	})
	for _, p := range found {
		d.memory.tree.ReplaceOrInsert(p)
	}
	return len(found)
}

func (d *SimulatedDisk) snapshot() (snapshot, error) {
	v, err := d.memory.snapshot()
	if f := d.fault.Load(); f.read != nil {
		return brokenSnapshot{f.read}, nil
	}
	return v, err
}

func (d *SimulatedDisk) apply(b *batch) (func() error, error) {
	if f := d.fault.Load(); f.write != nil {
		return nil, f.write
	}
	return d.memory.apply(b)
}

func (d *SimulatedDisk) space() (diskSpace, error) { return diskSpace{free: d.free.Load()}, nil }

func (d *SimulatedDisk) failure() (damaged bool, err error) { return false, nil }

func (d *SimulatedDisk) close() error { return nil }

// A brokenSnapshot is that of a disk which does not give anything back.
type brokenSnapshot struct{ err error }

func (s brokenSnapshot) get([]byte) ([]byte, error)                    { return nil, s.err }
func (s brokenSnapshot) scan(span, func(key, value []byte) bool) error { return s.err }
func (s brokenSnapshot) close()                                        {}

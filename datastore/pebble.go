package datastore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the kv on a disk: a Pebble database, every batch of which is synced.
type disk struct {
	home  *home
	db    *pebble.DB
	guard *guard
	watch io.Closer     // reports writes that take long
	busy  atomic.Bool   // tables may be waiting to be written
	moved chan struct{} // holds a token when one was
}

// Sizes of what Pebble keeps in memory. A node has a few hundred megabytes in
// all, and most of what it reads was written lately.
const (
	blockCache = 32 << 20
	memTable   = 8 << 20
)

// tableSize bounds a file, and with that what a damaged one takes with it.
const tableSize = 8 << 20

// openDisk opens the database in a directory, or makes one. What is wrong with
// what is there is an ErrCorrupt.
func openDisk(h *home, readOnly bool, alarm func()) (*disk, error) {
	d := &disk{home: h, moved: make(chan struct{}, 1)}
	watched, watch := vfs.WithDiskHealthChecks(h.fs, slowWrite, nil, h.slow)
	d.watch = watch
	d.guard = newGuard(watched, h.log, alarm)
	o := options(d.guard)
	o.Lock, o.ReadOnly = h.lock, readOnly
	o.EventListener.FlushEnd = func(pebble.FlushInfo) { d.tidied() }
	o.EventListener.CompactionEnd = func(pebble.CompactionInfo) { d.tidied() }
	o.EventListener.WALCreated = func(pebble.WALCreateInfo) { d.busy.Store(true) }
	err := h.check(readOnly)
	if err == nil {
		d.db, err = openPebble(h.dir, o)
	}
	if fault := d.guard.shut(); fault != nil {
		err = fault // whatever followed
	}
	if err != nil {
		return nil, errors.Join(asDamage(err), d.close())
	}
	d.guard.opening.Store(false)
	return d, nil
}

// openPebble also takes what Pebble panics over, in files that are damaged, for an
// error.
func openPebble(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%w: %v", ErrCorrupt, r)
		}
	}()
	return pebble.Open(dir, o)
}

// asDamage tells damage from what else may keep a database from being opened. What
// neither the file system said nor we is Pebble's word on what it read, and so is that
// a file is missing which should be there.
func asDamage(err error) error {
	var system syscall.Errno
	switch {
	case isKnown(err):
		return err
	case errors.As(err, &system) && !errors.Is(err, fs.ErrNotExist):
		return asFault(err)
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// options are Pebble's, with the newest format: the default one is silent about
// a bit flipped in the write-ahead log and drops what follows it. Pebble itself
// never makes a writer wait for tables, on a full disk for ever: [disk.await] does.
func options(g *guard) *pebble.Options {
	o := &pebble.Options{
		FS:                          g,
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   blockCache,
		MemTableSize:                memTable,
		MemTableStopWritesThreshold: 2 * maxWaiting,
		L0StopWritesThreshold:       math.MaxInt32,
		Logger:                      g,
		EventListener: &pebble.EventListener{
			BackgroundError: g.background,
			DataCorruption:  g.corruption,
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // a record that is not held is the usual answer of a write
		o.TargetFileSizes[i] = min(int64(2<<20)<<i, tableSize)
	}
	return o
}

// snapshot is one iterator, which does for all reads of one moment. It also looks
// at the filters of the last level, which a plain Get does not: most keys that a
// write looks for are nowhere.
func (d *disk) snapshot() (snapshot, error) {
	it, err := d.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, d.corrupt(err)
	}
	return diskSnapshot{it, d}, nil
}

func (d *disk) apply(b *batch) (durable func() error, err error) {
	if err := d.admit(); err != nil {
		return nil, fmt.Errorf("write to store: %w", err)
	}
	pb := d.db.NewBatchWithSize(len(b.buf) + len(b.ops)*16)
	b.each(func(key, value []byte, remove bool) {
		if err == nil && remove {
			err = pb.Delete(key, nil)
		} else if err == nil {
			err = pb.Set(key, value, nil)
		}
	})
	if err == nil {
		err = d.db.ApplyNoSyncWait(pb, pebble.Sync)
	}
	if err == nil {
		err = d.guard.shut()
	}
	if err != nil {
		return nil, fmt.Errorf("write to store: %w", d.guard.fail(err))
	}
	return func() error { return d.settle(pb) }, nil
}

// settle waits until the batch is on disk. That Pebble is content means nothing
// where the guard is not.
func (d *disk) settle(b *pebble.Batch) error {
	err := b.SyncWait()
	if err == nil {
		err = d.guard.shut()
	}
	if err != nil {
		return fmt.Errorf("sync store: %w", d.guard.fail(err))
	}
	return b.Close()
}

func (d *disk) failure() (damaged bool, err error) { return d.guard.failure() }

func (d *disk) close() error {
	var err error
	if d.db != nil {
		d.tidy()
		err = d.db.Close()
	}
	d.guard.forget()
	if d.guard.shut() != nil {
		err = nil // it has been told, and to those whom it concerned
	}
	return errors.Join(err, d.watch.Close())
}

type diskSnapshot struct {
	it   *pebble.Iterator
	disk *disk
}

func (s diskSnapshot) get(key []byte) ([]byte, error) {
	if s.it.SeekPrefixGE(key) {
		value, err := s.it.ValueAndErr()
		return append([]byte{}, value...), s.disk.corrupt(err)
	}
	err := s.disk.corrupt(s.it.Error())
	if errors.Is(err, ErrCorrupt) {
		return s.latest(key)
	}
	if err != nil {
		return nil, err
	}
	return nil, errNoKey
}

// latest is the value of a key as it is now. An iterator looks into every level
// and stumbles over a damaged block even where a newer level has the key; this
// does not, so that what was written again can be read again.
func (s diskSnapshot) latest(key []byte) ([]byte, error) {
	value, closer, err := s.disk.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, errNoKey
	}
	if err != nil {
		return nil, s.disk.corrupt(err)
	}
	out := append([]byte{}, value...)
	return out, closer.Close()
}

func (s diskSnapshot) scan(sp span, visit func(key, value []byte) bool) error {
	ok, next := s.start(sp)
	for ; ok && sp.holds(s.it.Key()); ok = next() {
		value, err := s.it.ValueAndErr()
		if err != nil {
			return s.disk.corrupt(err)
		}
		if !visit(s.it.Key(), value) {
			return nil
		}
	}
	return s.disk.corrupt(s.it.Error())
}

// start goes to the first key of a span, and says how to go on.
func (s diskSnapshot) start(sp span) (ok bool, next func() bool) {
	if sp.backward {
		return s.it.SeekLT(sp.high), s.it.Prev
	}
	return s.it.SeekGE(sp.low), s.it.Next
}

func (s diskSnapshot) close() { _ = s.it.Close() } // what went wrong was returned by the read

// corrupt marks what Pebble calls corruption as ErrCorrupt, and has the database
// made anew of what is left of it.
func (d *disk) corrupt(err error) error {
	if err == nil || !pebble.IsCorruptionError(err) {
		return err
	}
	err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	_ = d.guard.harm(err)
	return err
}

package datastore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the kv on a disk: a Pebble database, every batch of which is synced.
type disk struct {
	dir   string
	fs    vfs.FS
	db    *pebble.DB
	lock  *pebble.Lock
	watch io.Closer // reports writes that take long
	log   *faultLog
}

// Sizes of what Pebble keeps in memory. A node has a few hundred megabytes in
// all, and most of what it reads was written lately.
const (
	blockCache = 32 << 20
	memTable   = 8 << 20
)

// slowWrite is how long a write may take before it is reported.
const slowWrite = 5 * time.Second

// openDisk opens the database in dir, creating both as needed, and holds its
// lock until close.
func openDisk(dir string, under vfs.FS, log *slog.Logger) (*disk, error) {
	dir, err := realDir(dir)
	if err != nil {
		return nil, fmt.Errorf("create store directory: %w", err)
	}
	lock, err := lockDir(dir, under)
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir, fs: under, lock: lock, log: &faultLog{log: log}}
	o := options(lock, d.log)
	o.FS, d.watch = vfs.WithDiskHealthChecks(under, slowWrite, nil, d.log.slow)
	d.db, err = pebble.Open(dir, o)
	if err == nil {
		err = d.log.first() // Pebble goes on after some faults that it calls fatal
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store in %s: %w", dir, asCorrupt(err)), d.close())
	}
	return d, nil
}

// realDir creates dir and names it in the one way that Pebble's list of the
// locks of this process can compare.
func realDir(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// lockDir takes the lock of the directory. The operating system drops it with
// the process that holds it, so it cannot go stale.
func lockDir(dir string, under vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, under)
	if err == nil {
		return lock, nil
	}
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return nil, fmt.Errorf("lock store directory: %w", err)
	}
	return nil, fmt.Errorf("lock store in %s: %w: %w", dir, ErrLocked, err)
}

// options are Pebble's, with the newest format: the default one is silent about
// a bit flipped in the write-ahead log and drops what follows it.
func options(lock *pebble.Lock, faults *faultLog) *pebble.Options {
	o := &pebble.Options{
		FormatMajorVersion: pebble.FormatNewest,
		Lock:               lock,
		CacheSize:          blockCache,
		MemTableSize:       memTable,
		Logger:             faults,
		EventListener: &pebble.EventListener{
			BackgroundError: faults.background,
			DataCorruption:  faults.corruption,
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // a record that is not held is the usual answer of a write
	}
	return o
}

// snapshot is one iterator, which does for all reads of one moment. It also looks
// at the filters of the last level, which a plain Get does not: most keys that a
// write looks for are nowhere.
func (d *disk) snapshot() (snapshot, error) {
	it, err := d.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, asCorrupt(err)
	}
	return diskSnapshot{it, d.db}, nil
}

func (d *disk) apply(b *batch) (durable func() error, err error) {
	if err := d.log.first(); err != nil {
		return nil, err
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
		err = d.log.first()
	}
	if err != nil {
		return nil, d.log.keep(fmt.Errorf("write to store: %w", err))
	}
	return func() error { return d.settle(pb) }, nil
}

// settle waits until the batch is on disk. What could not be synced once must
// not be tried again: the kernel may have dropped the pages and call them clean.
func (d *disk) settle(b *pebble.Batch) error {
	err := b.SyncWait()
	if err == nil {
		err = d.log.first()
	}
	if err != nil {
		return d.log.keep(fmt.Errorf("sync store: %w", err))
	}
	return b.Close()
}

func (d *disk) space() (diskSpace, error) {
	u, err := d.fs.GetDiskUsage(d.dir)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, vfs.ErrUnsupported) {
		return diskSpace{free: math.MaxInt64}, nil // a file system in memory
	}
	if err != nil {
		return diskSpace{}, fmt.Errorf("look for free space: %w", err)
	}
	return diskSpace{free: int64(min(u.AvailBytes, math.MaxInt64)), total: int64(min(u.TotalBytes, math.MaxInt64))}, nil
}

func (d *disk) close() error {
	var err error
	if d.db != nil {
		err = d.db.Close()
	}
	return errors.Join(err, d.watch.Close(), d.lock.Close())
}

type diskSnapshot struct {
	it *pebble.Iterator
	db *pebble.DB
}

func (s diskSnapshot) get(key []byte) ([]byte, error) {
	if s.it.SeekPrefixGE(key) {
		value, err := s.it.ValueAndErr()
		return append([]byte{}, value...), asCorrupt(err)
	}
	err := asCorrupt(s.it.Error())
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
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, errNoKey
	}
	if err != nil {
		return nil, asCorrupt(err)
	}
	out := append([]byte{}, value...)
	return out, closer.Close()
}

func (s diskSnapshot) scan(sp span, visit func(key, value []byte) bool) error {
	ok, next := s.start(sp)
	for ; ok && sp.holds(s.it.Key()); ok = next() {
		value, err := s.it.ValueAndErr()
		if err != nil {
			return asCorrupt(err)
		}
		if !visit(s.it.Key(), value) {
			return nil
		}
	}
	return asCorrupt(s.it.Error())
}

// start goes to the first key of a span, and says how to go on.
func (s diskSnapshot) start(sp span) (ok bool, next func() bool) {
	if sp.backward {
		return s.it.SeekLT(sp.high), s.it.Prev
	}
	return s.it.SeekGE(sp.low), s.it.Next
}

func (s diskSnapshot) close() { _ = s.it.Close() } // what went wrong was returned by the read

// asCorrupt marks what Pebble calls corruption as ErrCorrupt.
func asCorrupt(err error) error {
	if err == nil || !pebble.IsCorruptionError(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// faultLog is Pebble's logger. What Pebble calls fatal, expecting the process to
// end there, is kept instead, and refuses every later write.
type faultLog struct {
	log     *slog.Logger
	retries atomic.Int64

	mu    sync.Mutex // protects fault
	fault error
}

// background reports what Pebble will try again, which on a full disk is a
// hundred times a second: the first time, the second, the fourth and so on.
func (l *faultLog) background(err error) {
	if n := l.retries.Add(1); n&(n-1) == 0 {
		l.log.Warn("store cannot tidy up", "error", err, "times", n)
	}
}

func (l *faultLog) corruption(i pebble.DataCorruptionInfo) {
	l.log.Error("store is damaged", "error", i.Details, "file", i.Path)
}

func (l *faultLog) slow(i vfs.DiskSlowInfo) {
	l.log.Warn("disk is slow", "file", i.Path, "operation", i.OpType.String(), "took", i.Duration)
}

func (l *faultLog) Infof(format string, args ...any) {
	l.log.Debug("database", "message", fmt.Sprintf(format, args...))
}

func (l *faultLog) Errorf(format string, args ...any) {
	l.log.Error("database", "message", fmt.Sprintf(format, args...))
}

func (l *faultLog) Fatalf(format string, args ...any) {
	_ = l.keep(fmt.Errorf("%w: "+format, append([]any{ErrBroken}, args...)...))
}

// keep remembers the first fault and returns it.
func (l *faultLog) keep(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == nil {
		l.log.Error("store refuses writes from now on", "error", err)
		if !errors.Is(err, ErrBroken) {
			err = fmt.Errorf("%w: %w", ErrBroken, err)
		}
		l.fault = err
	}
	return l.fault
}

func (l *faultLog) first() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

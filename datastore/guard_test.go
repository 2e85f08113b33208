package datastore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// badDisk fails some operations on files of some suffix, as often as it is told.
type badDisk struct {
	err    error
	suffix string
	kinds  []errorfs.OpKind
	left   atomic.Int64
}

func (d *badDisk) over(under vfs.FS) vfs.FS {
	return errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if slices.Contains(d.kinds, op.Kind) && strings.HasSuffix(op.Path, d.suffix) && d.left.Add(-1) >= 0 {
			return &os.PathError{Op: "write", Path: op.Path, Err: d.err}
		}
		return nil
	}))
}

// always is more often than any test tries.
const always = 1 << 40

var (
	syncing = []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}
	writing = []errorfs.OpKind{
		errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpRename, errorfs.OpLink,
		errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFilePreallocate,
	}
)

// openAt opens a store on a file system, which it opens again at once after it failed.
func openAt(t *testing.T, dir string, files vfs.FS) *datastore.Store {
	t.Helper()
	s, err := datastore.Open(datastore.Config{Dir: dir, Network: network(t), FS: files, Limits: datastore.Limits{Floor: -1}})
	if err != nil {
		t.Fatal(err)
	}
	s.ReviveAtOnce()
	return s
}

// wantRecords looks for records that were acknowledged.
func wantRecords(t *testing.T, s *datastore.Store, rs []*records.Record) {
	t.Helper()
	for _, r := range rs {
		if _, err := s.Record(r.ItemKey()); err != nil {
			t.Fatalf("acknowledged, and then: %v", err)
		}
	}
}

// Whatever the disk says of the log, once, is what whoever writes is told; what was
// acknowledged is there; and the next write finds the database opened again.
func TestDisk_logFailsOnce(t *testing.T) {
	for name, c := range map[string]struct {
		kinds     []errorfs.OpKind
		err, want error
	}{
		"write": {[]errorfs.OpKind{errorfs.OpFileWrite}, syscall.EIO, datastore.ErrBroken},
		"sync":  {syncing, syscall.EIO, datastore.ErrBroken},
		"full":  {[]errorfs.OpKind{errorfs.OpFileWrite}, syscall.ENOSPC, datastore.ErrFull},
		"quota": {syncing, syscall.EDQUOT, datastore.ErrFull},
		"read":  {[]errorfs.OpKind{errorfs.OpFileWrite}, syscall.EROFS, datastore.ErrReadOnly},
		"owner": {[]errorfs.OpKind{errorfs.OpFileWrite}, syscall.EACCES, datastore.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			bad := badDisk{err: c.err, suffix: ".log", kinds: c.kinds}
			s := closing(t, openAt(t, t.TempDir(), bad.over(vfs.Default)))
			rs := newWriter(t, network(t)).posts(40)
			mergeAll(t, s, putsAt(levelHour, rs[:20]...))
			bad.left.Store(1)
			if _, err := s.Merge(bg, putsAt(levelHour, rs[20:]...)); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			wantRecords(t, s, rs[:20])
			mergeAll(t, s, putsAt(levelHour, rs...))
			wantRecords(t, s, rs)
			if err := datastore.Audit(s); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// While the disk is full writes are refused, reads go on, the store can be closed and
// opened to be read; and once there is room writes go on by themselves.
func TestDisk_full(t *testing.T) {
	for name, told := range map[string]bool{"seen before": true, "a quota that nobody tells of": false} {
		t.Run(name, func(t *testing.T) {
			bad := badDisk{err: syscall.ENOSPC, kinds: writing}
			dir, files := t.TempDir(), fullDisk{FS: bad.over(vfs.Default), bad: &bad, told: told}
			rs := newWriter(t, network(t)).posts(60)
			s := openAt(t, dir, files)
			mergeAll(t, s, putsAt(levelHour, rs[:20]...))
			bad.left.Store(always)
			refused := func() {
				t.Helper()
				for i := range 20 {
					if _, err := s.Merge(bg, putsAt(levelHour, rs[20+i:]...)); !errors.Is(err, datastore.ErrFull) {
						t.Fatalf("got %v, want ErrFull", err)
					}
				}
				wantRecords(t, s, rs[:20])
			}
			refused()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = closing(t, openAt(t, dir, files))
			refused()
			bad.left.Store(0)
			mergeAll(t, s, putsAt(levelHour, rs...))
			wantRecords(t, s, rs)
			if err := datastore.Audit(s); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// fullDisk tells how much is free, or does not.
type fullDisk struct {
	vfs.FS
	bad  *badDisk
	told bool
}

func (d fullDisk) Unwrap() vfs.FS { return d.FS }

func (d fullDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	free := uint64(1 << 30)
	if d.told && d.bad.left.Load() > 0 {
		free = 0
	}
	return vfs.DiskUsage{AvailBytes: free, TotalBytes: 1 << 34}, nil
}

// What stands in the way of opening a store says what it is.
func TestOpen_refusedByTheDisk(t *testing.T) {
	for name, c := range map[string]struct {
		err, want error
		kinds     []errorfs.OpKind
	}{
		"read-only":     {syscall.EROFS, datastore.ErrReadOnly, writing},
		"no permission": {syscall.EACCES, datastore.ErrDenied, writing},
		"lock denied":   {syscall.EACCES, datastore.ErrDenied, []errorfs.OpKind{errorfs.OpLock}},
		"full":          {syscall.ENOSPC, datastore.ErrFull, writing},
		"no directory":  {syscall.ENOSPC, datastore.ErrFull, []errorfs.OpKind{errorfs.OpMkdirAll}},
		"unreadable":    {syscall.EIO, datastore.ErrBroken, []errorfs.OpKind{errorfs.OpFileRead, errorfs.OpFileReadAt, errorfs.OpList}},
	} {
		t.Run(name, func(t *testing.T) {
			bad := badDisk{err: c.err, kinds: c.kinds}
			bad.left.Store(always)
			_, err := datastore.Open(datastore.Config{Dir: t.TempDir() + "/store", Network: network(t), FS: bad.over(vfs.Default)})
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

// With one failure at any operation on the disk, whatever it was, nothing that was
// acknowledged is lost when then the power goes; the store goes on; and no file that
// could not be synced is synced again.
func TestDisk_everyFault(t *testing.T) {
	step := 5
	if testing.Short() {
		step = 15
	}
	first := rand.IntN(step)
	t.Logf("operations %d, %d and so on", first, first+step)
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			for at := first; ; at += step {
				if !failAt(t, fault, at) {
					return
				}
			}
		})
	}
}

// failAt lets one operation fail, and tells whether there are so many.
func failAt(t *testing.T, fault error, at int) bool {
	t.Helper()
	mem := vfs.NewCrashableMem()
	d := &onceBad{err: fault, at: at, failed: map[string]bool{}, t: t}
	s := openAt(t, "store", errorfs.Wrap(mem, errorfs.InjectorFunc(d.inject)))
	d.begin()
	rs := newWriter(t, network(t)).posts(30)
	var acknowledged []*records.Record
	for i, r := range rs {
		if _, err := s.Merge(bg, putsAt(levelHour, r)); err == nil {
			acknowledged = append(acknowledged, r)
		}
		if i == 10 || i == 20 {
			s.Tidy()
		}
	}
	count := d.end()
	crashed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(at), 0))})
	mergeAll(t, s, putsAt(levelHour, rs...))
	_ = s.Close() // it may tell of the fault

	s = openAt(t, "store", crashed)
	defer s.Close()
	wantRecords(t, s, acknowledged)
	if err := datastore.Audit(s); err != nil {
		t.Fatalf("operation %d: %v", at, err)
	}
	if len(acknowledged) < len(rs)-3 {
		t.Fatalf("operation %d: %d of %d acknowledged", at, len(acknowledged), len(rs))
	}
	return at < count
}

// onceBad fails one operation that changes something.
type onceBad struct {
	err error
	at  int
	t   *testing.T

	mu     sync.Mutex // protects what follows
	on     bool
	count  int
	failed map[string]bool // files that could not be written or synced
}

func (d *onceBad) begin() { d.mu.Lock(); d.on = true; d.mu.Unlock() }

func (d *onceBad) end() int { d.mu.Lock(); defer d.mu.Unlock(); d.on = false; return d.count }

func (d *onceBad) inject(op errorfs.Op) error {
	if !slices.Contains(writing, op.Kind) && !slices.Contains(syncing, op.Kind) {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed[op.Path] && (op.Kind == errorfs.OpFileWrite || slices.Contains(syncing, op.Kind)) {
		d.t.Errorf("operation %d failed on %s, which is used again", d.at, op.Path)
	}
	if !d.on {
		return nil
	}
	if d.count++; d.count != d.at+1 {
		return nil
	}
	if op.Kind == errorfs.OpFileWrite || slices.Contains(syncing, op.Kind) && strings.Contains(op.Path, ".") {
		d.failed[op.Path] = true
	}
	return &os.PathError{Op: "fault", Path: op.Path, Err: d.err}
}

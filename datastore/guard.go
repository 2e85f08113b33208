package datastore

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A guard stands between Pebble and its files. It keeps two promises that Pebble
// leaves to the end of the process, which is no answer here.
//
// What could not be written or synced once is never written again: the kernel may
// have dropped the pages and call them clean ("Can Applications Recover from fsync
// Failures?", Rebello et al., ATC 2020). With the first failure on the log, the
// manifest or a directory the guard shuts, and from then on nothing on disk is
// changed by this opening of the database, tidying up included. Tables are the
// exception: Pebble writes one that failed again, whole and under another number,
// from what it still has in memory.
//
// Opening ends. Pebble opens a database only once a table is made of its log, and
// tries that for ever. So when anything fails while it opens, it goes on in memory, is
// closed again, and the failure is what became of the opening.
//
// And nothing panics. Pebble takes a log that it cannot begin or end for the end of
// the process, holding its locks; so of logs and directories failures are not told
// to Pebble but kept here, where [disk] looks before it acknowledges anything.
type guard struct {
	vfs.FS
	log   *slog.Logger
	alarm func() // called once, when the guard shuts

	full    atomic.Bool // something was refused for want of room, lately
	opening atomic.Bool // the database is being opened
	retries atomic.Int64
	nowhere *vfs.MemFS // what is written there is gone

	mu     sync.Mutex            // protects what follows
	fault  error                 // why it is shut
	damage bool                  // what is on disk is damaged
	open   map[*guardedFile]bool // being written; Pebble forgets some that failed
}

// Unwrap is the file system below.
func (g *guard) Unwrap() vfs.FS { return g.FS }

// A kind of file decides what its failure means.
type fileKind uint8

func newGuard(files vfs.FS, log *slog.Logger, alarm func()) *guard {
	g := &guard{FS: files, log: log, alarm: alarm, nowhere: vfs.NewMem(), open: map[*guardedFile]bool{}}
	g.opening.Store(true)
	return g
}

const (
	fileVital fileKind = iota // manifest, options, markers: shuts the guard, and Pebble is told
	fileTable                 // made again under another name
	fileLog                   // shuts the guard, and Pebble is not told
)

func kindOf(name string) fileKind {
	switch {
	case strings.HasSuffix(name, ".sst"), strings.HasSuffix(name, ".blob"):
		return fileTable
	case strings.HasSuffix(name, ".log"):
		return fileLog
	default:
		return fileVital
	}
}

// shut is why nothing may be changed any more; nil while it may.
func (g *guard) shut() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault
}

// failure is shut, and whether that is because what is on disk is damaged.
func (g *guard) failure() (damaged bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.damage, g.fault
}

// fail shuts the guard for a reason, if it is not shut already, and returns why it is.
func (g *guard) fail(err error) error { return g.close(asFault(err), false) }

// harm shuts the guard because what is on disk is damaged.
func (g *guard) harm(err error) error {
	if !errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return g.close(err, true)
}

func (g *guard) close(fault error, damage bool) error {
	g.mu.Lock()
	first := g.fault == nil
	if first {
		g.fault, g.damage = fault, damage // what comes after may be no more than confusion
	}
	fault = g.fault
	g.mu.Unlock()
	if first {
		g.log.Error("store takes no writes until its files are opened again", "err", fault)
		g.alarm()
	}
	return fault
}

// change carries out something that changes the file system, and looks at how it went.
func (g *guard) change(kind fileKind, op func() error) error {
	if err := g.shut(); err != nil {
		return err
	}
	err := op()
	if err == nil {
		return nil
	}
	if isFull(err) {
		g.full.Store(true)
	}
	if kind != fileTable || g.opening.Load() {
		return g.fail(err)
	}
	return err
}

// astray tells whether a database that cannot be opened goes on in memory.
func (g *guard) astray() bool { return g.opening.Load() && g.shut() != nil }

// begin opens a file for writing. A log that cannot be begun is one in memory.
func (g *guard) begin(name string, open func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	kind := kindOf(name)
	err := g.change(kind, func() (err error) { f, err = open(); return err })
	switch {
	case err == nil:
		return g.track(&guardedFile{File: f, guard: g, kind: kind}), nil
	case kind == fileLog, g.astray():
		if err := g.nowhere.MkdirAll(g.PathDir(name), 0o700); err != nil {
			return nil, err
		}
		return g.nowhere.Create(name, vfs.WriteCategoryUnspecified)
	case kind == fileTable:
		pause()
	}
	return nil, err
}

func (g *guard) track(f *guardedFile) *guardedFile {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[f] = true
	return f
}

// forget closes what is still open when the database is not.
func (g *guard) forget() {
	g.mu.Lock()
	left := slices.Collect(maps.Keys(g.open))
	g.mu.Unlock()
	for _, f := range left {
		_ = f.Close()
	}
}

func (g *guard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.begin(name, func() (vfs.File, error) { return g.FS.Create(name, c) })
}

func (g *guard) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.begin(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, opts...) })
}

func (g *guard) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.begin(to, func() (vfs.File, error) { return g.FS.ReuseForWrite(from, to, c) })
}

func (g *guard) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if g.astray() {
		if f, err := g.nowhere.Open(name, opts...); err == nil {
			return f, nil
		}
	}
	return g.FS.Open(name, opts...)
}

func (g *guard) Stat(name string) (vfs.FileInfo, error) {
	if g.astray() {
		if i, err := g.nowhere.Stat(name); err == nil {
			return i, nil
		}
	}
	return g.FS.Stat(name)
}

func (g *guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardedFile{File: f, guard: g, kind: fileLog}, nil
}

func (g *guard) Link(from, to string) error {
	return g.name(kindOf(to), func() error { return g.FS.Link(from, to) })
}

func (g *guard) Rename(from, to string) error {
	return g.name(kindOf(to), func() error { return g.FS.Rename(from, to) })
}

func (g *guard) name(kind fileKind, op func() error) error {
	err := g.change(kind, op)
	if g.astray() {
		return nil
	}
	return err
}

// Removing takes away what the database no longer needs: that it failed is no
// reason to stop, but what has been shut removes nothing.

func (g *guard) Remove(name string) error {
	return g.name(fileTable, func() error { return g.FS.Remove(name) })
}

func (g *guard) RemoveAll(name string) error {
	return g.name(fileTable, func() error { return g.FS.RemoveAll(name) })
}

// A guardedFile is one that is being written, or a directory.
type guardedFile struct {
	vfs.File
	guard *guard
	kind  fileKind
	fault atomic.Pointer[error] // the first, of a table: it is not touched again
}

func (f *guardedFile) do(op func() error) error {
	if fault := f.fault.Load(); fault != nil {
		return *fault
	}
	err := f.guard.change(f.kind, op)
	switch {
	case f.kind == fileLog, err != nil && f.guard.astray():
		return nil
	case err != nil:
		f.fault.Store(&err)
	}
	return err
}

func (f *guardedFile) Write(p []byte) (n int, err error) {
	err = f.do(func() (err error) { n, err = f.File.Write(p); return err })
	if err == nil {
		n = len(p)
	}
	return n, err
}

func (f *guardedFile) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.do(func() (err error) { n, err = f.File.WriteAt(p, at); return err })
	if err == nil {
		n = len(p)
	}
	return n, err
}

func (f *guardedFile) Sync() error { return f.do(f.File.Sync) }

func (f *guardedFile) SyncData() error { return f.do(f.File.SyncData) }

func (f *guardedFile) SyncTo(length int64) (whole bool, err error) {
	err = f.do(func() (err error) { whole, err = f.File.SyncTo(length); return err })
	return whole, err
}

// Preallocate is a hint, and a disk that has no room for it may have some for what
// is really written.
func (f *guardedFile) Preallocate(offset, length int64) error {
	_ = f.File.Preallocate(offset, length)
	return nil
}

func (f *guardedFile) Close() error {
	f.guard.mu.Lock()
	delete(f.guard.open, f)
	f.guard.mu.Unlock()
	err := f.File.Close()
	if f.kind == fileLog {
		return nil // whatever mattered was synced before
	}
	return err
}

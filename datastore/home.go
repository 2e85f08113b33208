package datastore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"path/filepath"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A home is the directory of a store, which belongs to this process as long as it is
// open, whatever becomes of the database in it.
type home struct {
	dir  string
	fs   vfs.FS
	lock *pebble.Lock
	log  *slog.Logger
}

// openHome makes a directory if need be, and takes its lock.
func openHome(dir string, files vfs.FS, log *slog.Logger) (*home, error) {
	if files == nil {
		files = vfs.Default
	}
	if err := makeDir(dir, files); err != nil {
		return nil, fmt.Errorf("create store directory: %w", asFault(err))
	}
	dir, err := oneName(dir, files)
	if err != nil {
		return nil, fmt.Errorf("create store directory: %w", err)
	}
	lock, err := lockDir(dir, files)
	if err != nil {
		return nil, err
	}
	return &home{dir: dir, fs: files, lock: lock, log: log}, nil
}

// makeDir makes a directory that is still there when the power goes: whatever is
// synced in it is only if the directories above know of it.
func makeDir(dir string, files vfs.FS) error {
	var above []string
	for d := dir; ; d = files.PathDir(d) {
		if _, err := files.Stat(d); err == nil || files.PathDir(d) == d {
			break
		}
		above = append(above, files.PathDir(d))
	}
	if len(above) == 0 {
		return nil
	}
	err := files.MkdirAll(dir, 0o700)
	for _, d := range above {
		if err == nil {
			err = syncDir(d, files)
		}
	}
	return err
}

func syncDir(dir string, files vfs.FS) error {
	d, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// oneName names a directory in the one way that Pebble's list of the locks of this
// process can compare.
func oneName(dir string, files vfs.FS) (string, error) {
	if vfs.Root(files) != vfs.Default {
		return dir, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// lockDir takes the lock of the directory. The operating system drops it with
// the process that holds it, so it cannot go stale.
func lockDir(dir string, files vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, files)
	if err == nil {
		return lock, nil
	}
	var file *fs.PathError
	var system syscall.Errno
	switch held := errors.As(err, &system) && (system == syscall.EAGAIN || system == syscall.EACCES); {
	case errors.As(err, &file), system != 0 && !held:
		return nil, fmt.Errorf("lock store directory: %w", asFault(err))
	default:
		return nil, fmt.Errorf("lock: %w: %w", ErrLocked, err)
	}
}

func (h *home) path(name string) string { return h.fs.PathJoin(h.dir, name) }

func (h *home) slow(i vfs.DiskSlowInfo) {
	h.log.Warn("disk is slow", "file", i.Path, "operation", i.OpType.String(), "took", i.Duration)
}

// space is how much the disk has.
func (h *home) space() (diskSpace, error) {
	u, err := h.fs.GetDiskUsage(h.dir)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, vfs.ErrUnsupported) {
		return diskSpace{free: math.MaxInt64}, nil // a file system in memory
	}
	if err != nil {
		return diskSpace{}, fmt.Errorf("look for free space: %w", asFault(err))
	}
	return diskSpace{free: int64(min(u.AvailBytes, math.MaxInt64)), total: int64(min(u.TotalBytes, math.MaxInt64))}, nil
}

// probeSize is what must be possible to write before a database is opened again.
const probeSize = 1 << 20

// probe tells why the directory cannot be written to.
func (h *home) probe() error {
	space, err := h.space()
	if err != nil {
		return err
	}
	if free := space.free; free < space.resume() {
		return fmt.Errorf("%w: %d bytes of disk are free", ErrFull, free)
	}
	name := h.path(probeFile)
	f, err := h.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(make([]byte, probeSize))
		if err == nil {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close(), h.fs.Remove(name))
	}
	if err != nil {
		return asFault(err)
	}
	return nil
}

func (h *home) close() error { return h.lock.Close() }

// exists tells whether there is such a file.
func (h *home) exists(name string) (bool, error) {
	_, err := h.fs.Stat(h.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

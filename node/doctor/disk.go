package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Directory looks at the data directory: that it is there or can be made, can be
// written to, and that nobody else reads the keys in it.
func Directory(dir string) Check {
	return Check{Name: "data directory", Look: func(_ context.Context, say Say) {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			lookAbove(dir, say)
			return
		case err != nil:
			say(Fail, err.Error(), "make it readable for the user who runs the node, or name another with --data")
			return
		case !info.IsDir():
			say(Fail, dir+" is no directory", "name another with --data")
			return
		}
		if err := writable(dir); err != nil {
			say(Fail, err.Error(), "make it writable for the user who runs the node: chown it, or mount it for writing")
			return
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 && secret {
			say(Warn, fmt.Sprintf("%s can be entered by others (mode %03o)", dir, mode), fmt.Sprintf("chmod 700 '%s'", dir))
		}
		lookAtKeys(dir, say)
		say(OK, dir+" can be written to", "")
	}}
}

// lookAbove asks whether a directory that is not there can be made.
func lookAbove(dir string, say Say) {
	for above := filepath.Dir(dir); ; above = filepath.Dir(above) {
		if _, err := os.Stat(above); errors.Is(err, fs.ErrNotExist) && above != filepath.Dir(above) {
			continue
		}
		if err := writable(above); err != nil {
			say(Fail, dir+" is not there and cannot be made: "+err.Error(), "make it, for the user who runs the node, or name another with --data")
			return
		}
		say(OK, dir+" is not there yet: the first start makes it", "")
		return
	}
}

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// lookAtKeys finds keys that others can read: the node would not start.
func lookAtKeys(dir string, say Say) {
	for _, name := range []string{"person.key", "node.key"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			say(Fail, err.Error(), "")
		case info.Mode().Perm()&0o077 != 0 && secret:
			say(Fail, fmt.Sprintf("%s can be read by others (mode %03o): the node does not start with it", path, info.Mode().Perm()), fmt.Sprintf("chmod 600 '%s'", path))
		}
	}
}

// Space looks at how much of the disk is free. Own is what others want stored must
// leave free, 0 for the node's own bound: a tenth, at most 2 GiB.
func Space(dir string, own int64) Check {
	return Check{Name: "disk space", Look: func(_ context.Context, say Say) {
		free, total, err := space(existing(dir))
		if err != nil {
			say(Warn, "not known: "+err.Error(), "look yourself, with df")
			return
		}
		floor := own
		if floor == 0 {
			floor = min(total/10, 2<<30)
		}
		found := fmt.Sprintf("%s of %s free", size(free), size(total))
		switch {
		case free < floor/3:
			say(Fail, found+": not even your own posts are taken in", "free some space, or move the data directory to a larger disk")
		case free < floor:
			say(Fail, fmt.Sprintf("%s: below %s nothing of others is taken in", found, size(floor)), "free some space, or lower store.free_space")
		case free < 2*floor:
			say(Warn, fmt.Sprintf("%s: below %s nothing of others is taken in", found, size(floor)), "free some space, or lower store.quota")
		default:
			say(OK, found, "")
		}
	}}
}

// existing is the nearest directory at or above dir that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// How long a write may take to be on disk. An acknowledgement waits for one, though
// many share it.
const (
	slowSync     = 30 * time.Millisecond
	hopelessSync = 500 * time.Millisecond
	syncs        = 15
)

// Sync measures how long the disk takes to keep 4 KiB for good.
func Sync(dir string) Check {
	return Check{Name: "disk speed", Limit: 15 * time.Second, Look: func(ctx context.Context, say Say) {
		took, err := measure(ctx, existing(dir))
		if err != nil {
			say(Fail, err.Error(), "look at the disk: the log of the system says more")
			return
		}
		found := fmt.Sprintf("4 KiB are on disk within %s, the slowest of %d within %s",
			took[len(took)/2].Round(10*time.Microsecond), len(took), took[len(took)-1].Round(10*time.Microsecond))
		do := "put the data directory on an SSD or a disk of its own; posts wait that long to be acknowledged"
		switch median := took[len(took)/2]; {
		case median > hopelessSync:
			say(Fail, found, do)
		case median > slowSync:
			say(Warn, found, do)
		default:
			say(OK, found, "")
		}
	}}
}

// measure is the times of a few syncs, sorted.
func measure(ctx context.Context, dir string) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4<<10)
	for range syncs {
		_, _ = rand.Read(page) // never fails; some disks are quick with zeros
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		if ctx.Err() != nil {
			break
		}
	}
	slices.Sort(took)
	return took, nil
}

// FileSystem looks for kinds of file systems on which a database loses what it was
// told is on disk, or that end with the machine.
func FileSystem(dir string) Check {
	return Check{Name: "file system", Look: func(_ context.Context, say Say) {
		kind, err := fileSystem(existing(dir))
		if err != nil {
			say(OK, "of a kind that is not known here", "")
			return
		}
		if bad, known := badFileSystems[kind]; known {
			say(Warn, kind+": "+bad, "put the data directory on a local disk, or into a volume")
			return
		}
		say(OK, kind, "")
	}}
}

// badFileSystems are kinds that do not keep a database well, and why.
var badFileSystems = map[string]string{
	"tmpfs":     "it is in memory and gone after a restart",
	"ramfs":     "it is in memory and gone after a restart",
	"overlayfs": "it is the layer of a container and goes with it",
	"nfs":       "its locks and syncs depend on a server and on how it is mounted",
	"smb":       "its locks and syncs depend on a server and on how it is mounted",
	"fuse":      "whether a sync means anything depends on a program",
	"9p":        "whether a sync means anything depends on the host",
	"vfat":      "it has no permissions: others can read the keys",
	"exfat":     "it has no permissions: others can read the keys",
}

func size(bytes int64) string {
	const unit = 1 << 10
	value, i := float64(bytes), 0
	for ; value >= unit && i < 4; i++ {
		value /= unit
	}
	return fmt.Sprintf("%.3g %s", value, []string{"B", "KiB", "MiB", "GiB", "TiB"}[i])
}

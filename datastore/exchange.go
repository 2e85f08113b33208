package datastore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A database that was made anew takes the place of the damaged one in three steps,
// each of which can be done again, so that a crash at any moment leaves a directory
// in which the next opening goes on:
//
//	leaving   the files of the damaged database go to the directory that this file names
//	coming    then it has this name, and those of the new one come from fresh/
//	          and then it is gone, with fresh/
//
// The lock stays where it is all the while.
const (
	freshDir      = "fresh"
	leavingFile   = "leaving"
	comingFile    = "coming"
	lockFile      = "LOCK"
	probeFile     = "probe"
	damagedPrefix = "damaged-"
)

// keptDamaged is how many damaged databases are kept for their owner to look at.
const keptDamaged = 2

// replace has the database in fresh/ take the place of the one here.
func (h *home) replace() error {
	names, err := h.fs.List(h.dir)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, damagedPrefix) })
	slices.Sort(names)
	for _, name := range names[:max(0, len(names)-keptDamaged+1)] {
		if err := h.fs.RemoveAll(h.path(name)); err != nil {
			return err
		}
	}
	to := asideName()
	h.log.Error("store was damaged: it is made anew, and what it was is kept", "directory", h.path(to))
	return h.write(leavingFile, to)
}

// exchange goes on with what replace began, and tells whether there was anything.
func (h *home) exchange() (done bool, err error) {
	if err := h.leave(); err != nil {
		return false, fmt.Errorf("put the damaged database aside: %w", err)
	}
	coming, err := h.exists(comingFile)
	if !coming || err != nil {
		return false, err
	}
	if err := h.come(); err != nil {
		return false, fmt.Errorf("put the new database in its place: %w", asFault(err))
	}
	return true, nil
}

func (h *home) leave() error {
	to, err := h.read(leavingFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !strings.HasPrefix(to, damagedPrefix) || h.fs.PathBase(to) != to {
		return fmt.Errorf("%w: %s names %q", ErrBroken, leavingFile, to)
	}
	if err := h.fs.MkdirAll(h.path(to), 0o700); err != nil {
		return err
	}
	if err := h.moveAll(h.dir, h.path(to), to); err != nil {
		return err
	}
	if err := h.fs.Rename(h.path(leavingFile), h.path(comingFile)); err != nil {
		return err
	}
	return h.sync(h.dir)
}

func (h *home) come() error {
	fresh := h.path(freshDir)
	there, err := h.exists(freshDir)
	if err == nil && there {
		err = h.moveAll(fresh, h.dir, "")
	}
	if err == nil {
		err = h.fs.RemoveAll(fresh)
	}
	if err == nil {
		err = h.fs.Remove(h.path(comingFile))
	}
	if err != nil {
		return err
	}
	return h.sync(h.dir)
}

// moveAll moves the files of a database from one directory to another.
func (h *home) moveAll(from, to, except string) error {
	names, err := h.fs.List(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		switch {
		case name == except, name == lockFile, name == freshDir, name == leavingFile, name == comingFile, strings.HasPrefix(name, damagedPrefix):
			continue
		}
		if err := h.fs.Rename(h.fs.PathJoin(from, name), h.fs.PathJoin(to, name)); err != nil {
			return err
		}
	}
	return errors.Join(h.sync(to), h.sync(from))
}

func (h *home) sync(dir string) error { return syncDir(dir, h.fs) }

// write makes a small file, whole and synced or not at all.
func (h *home) write(name, content string) error {
	f, err := h.fs.Create(h.path(name+".new"), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(content))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := h.fs.Rename(h.path(name+".new"), h.path(name)); err != nil {
		return err
	}
	return h.sync(h.dir)
}

func (h *home) read(name string) (string, error) {
	f, err := h.fs.Open(h.path(name))
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(io.LimitReader(f, 256))
	return string(content), errors.Join(err, f.Close())
}

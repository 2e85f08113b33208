package datastore

import (
	"errors"
	"fmt"
)

// A database that failed is closed and opened again behind the same store, so that
// what a disk does for a while ends with that while. Nothing was acknowledged that is
// not on disk, and opening reads the log as the disk has it and writes what it reads
// as tables, synced, before it goes on: what the old database believed is forgotten.

// revive opens a map that has failed again, if it may be. It returns why there is
// none that can be written to.
func (s *Store) revive() error {
	damaged, fault := s.kv.failure()
	if fault == nil || s.home == nil {
		return fault
	}
	if !s.revival.due(damaged) {
		return fault
	}
	if err := s.home.probe(); err != nil {
		return err
	}
	if s.flying {
		<-s.landed
		s.flying = false
	}
	if damaged {
		s.revival.mended()
		if err := s.salvage(); err != nil { // readers have what there is meanwhile
			s.log.Error("cannot make the damaged store anew", "err", err)
			return fault
		}
	}
	return s.reopen()
}

// reopen exchanges the map for one that is opened anew, while nobody reads.
func (s *Store) reopen() error {
	s.life.Lock()
	defer s.life.Unlock()
	_ = s.kv.close() // why it failed was told
	if err := s.bring(); err != nil {
		s.log.Error("store cannot be opened again", "err", err)
		s.kv = absent{asFault(err)}
		return asFault(err)
	}
	s.log.Info("store is open again")
	return nil
}

// bring opens the database in the store's directory. If one was made anew to take
// its place, it does; and of one that is damaged another is made first.
func (s *Store) bring() error {
	mended, err := s.home.exchange()
	if err == nil {
		err = s.openMap(false)
	}
	switch {
	case err == nil && mended:
		s.harm(Harm{Everything: true})
	case errors.Is(err, ErrCorrupt) && !mended:
		s.log.Error("store is damaged and is made anew of what can be read", "err", err)
		if err := s.salvage(); err != nil {
			return fmt.Errorf("make the damaged store anew: %w", err)
		}
		return s.bring()
	case errors.Is(err, ErrFull) && s.openMap(true) == nil:
		return nil
	}
	return err
}

// openMap opens the database and makes it the store's map. One for reading alone has
// failed from the beginning: it takes no writes, and is opened anew when there is room.
func (s *Store) openMap(readOnly bool) error {
	d, err := openDisk(s.home, readOnly, s.alarm)
	if err != nil {
		return err
	}
	if err := s.adopt(d); err != nil {
		return errors.Join(err, d.close())
	}
	if readOnly {
		_ = d.guard.fail(ErrFull)
	}
	return nil
}

func (s *Store) alarm() {
	select {
	case s.alarmed <- struct{}{}:
	default:
	}
}

// absent is the map while none can be opened.
type absent struct{ err error }

func (a absent) snapshot() (snapshot, error)        { return nil, a.err }
func (a absent) apply(*batch) (func() error, error) { return nil, a.err }
func (a absent) space() (diskSpace, error)          { return diskSpace{}, a.err }
func (a absent) failure() (damaged bool, err error) { return false, a.err }
func (a absent) close() error                       { return nil }

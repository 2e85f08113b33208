package datastore

import "fmt"

// Pebble keeps what was written in memory, besides the log, until it has made a
// table of it; and makes fewer tables out of many. A writer that is faster waits, and
// on a disk that is full is refused at once.
const (
	maxWaiting   = 3            // tables' worth in memory: what is filled, and two that wait
	maxOverlaps  = 12           // layers of tables that a read may have to look through
	leastSpace   = 1 << 20      // bytes of disk below which nothing is begun; or a 64th of it, if that is more, up to
	mostReserve  = 4 * memTable // what Pebble may need for the tables it has in memory, and its own files
	resumeFactor = 2            // times that is to be free before writing goes on
)

// reserve is how much of a disk is left to what has been acknowledged already.
func (d diskSpace) reserve() int64 { return min(max(leastSpace, d.total/64), mostReserve) }

// resume is how much is to be free before a full disk counts as one that is not.
func (d diskSpace) resume() int64 { return resumeFactor * d.reserve() }

// admit tells why nothing can be written now; nil if something can.
func (d *disk) admit() error {
	if err := d.guard.shut(); err != nil {
		return err
	}
	space, err := d.space()
	if err != nil {
		return d.guard.fail(err) // the directory is gone
	}
	switch {
	case space.free < space.reserve(),
		d.guard.full.Load() && space.free < space.resume():
		d.guard.full.Store(true)
		return fmt.Errorf("%w: %d bytes of disk are free", ErrFull, space.free)
	}
	d.guard.full.Store(false)
	return d.await()
}

// await waits while too much is to be written as tables.
func (d *disk) await() error {
	if !d.busy.Load() {
		return nil
	}
	look, stop := looking()
	defer stop()
	for d.pressed() {
		if d.guard.full.Load() {
			return fmt.Errorf("%w: nor for what is written already", ErrFull)
		}
		if err := d.guard.shut(); err != nil {
			return err
		}
		select {
		case <-d.moved:
		case <-look:
		}
	}
	return nil
}

// pressed tells whether too much is to be written as tables. Only what sets busy can
// make it more, so it is asked no further until then.
func (d *disk) pressed() bool {
	d.busy.Store(false)
	m := d.db.Metrics()
	pressed := m.MemTable.Size >= maxWaiting*memTable || m.Levels[0].Sublevels >= maxOverlaps
	if pressed {
		d.busy.Store(true)
	}
	return pressed
}

// tidied is called when tables were written, or could not be.
func (d *disk) tidied() {
	d.busy.Store(true)
	select {
	case d.moved <- struct{}{}:
	default:
	}
}

func (d *disk) space() (diskSpace, error) { return d.home.space() }

// tidy makes a table of all that is in memory, so that no log is left: of a log's end
// nobody can tell damage from what was being written when the power went. It waits
// for nothing that a disk would keep it from.
func (d *disk) tidy() {
	done, err := d.db.AsyncFlush()
	if err != nil {
		return // it was opened for reading
	}
	look, stop := looking()
	defer stop()
	for d.guard.shut() == nil && !d.guard.full.Load() {
		select {
		case <-done:
			return
		case <-look:
		}
	}
}

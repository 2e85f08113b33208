package datastore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/starling-social/starling/records"
)

// salvage makes a new database of what can be read of the damaged one, to take its
// place: every record that matches its digest, at the places where it stood, and the
// node's own state. What is worked out of these, entries, roles, fingerprints and
// statistics, is worked out anew, by merging. The damaged database is only read.
func (s *Store) salvage() error {
	h := *s.home
	h.dir, h.lock = s.home.path(freshDir), nil
	if err := h.fs.RemoveAll(h.dir); err != nil { // of an attempt that was interrupted
		return asFault(err)
	}
	if err := h.fs.MkdirAll(h.dir, 0o700); err != nil {
		return asFault(err)
	}
	d, err := openDisk(&h, false, func() {})
	if err != nil {
		return err
	}
	fresh, err := open(d, Config{Network: s.network, Owner: s.owner, Limits: Limits{Floor: -1}, Log: s.log})
	if err != nil {
		return errors.Join(err, d.close())
	}
	c := salvager{wreck: openWreck(s.home), into: fresh, stop: s.closing}
	if err = errors.Join(c.run(), fresh.Close()); err != nil {
		return err
	}
	s.log.Info("store was made anew", "records", fresh.Stats().Records, "unreadable_records", c.bad, "damaged_files", c.wreck.lost)
	return asFaultOrNil(s.home.replace())
}

func asFaultOrNil(err error) error {
	if err == nil {
		return nil
	}
	return asFault(err)
}

// A salvager carries what is in a wreck into a store.
type salvager struct {
	wreck *wreck
	into  *Store
	stop  <-chan struct{}

	newest  map[string]version           // of every key that matters; those removed too
	classes map[records.Coordinate]Class // of places that are not held
	waiting map[string]bool              // keys of what is on its way down
	format  uint64
	network string

	bad     int // records that are not what they should be
	batch   []survivor
	pending []nodeWrite
}

// A survivor is a record and where it stood.
type survivor struct {
	record *records.Record
	class  Class
	at     []records.Coordinate
}

var errStopped = fmt.Errorf("salvage: %w", ErrClosed)

func (c *salvager) run() error {
	c.newest, c.classes, c.waiting = map[string]version{}, map[records.Coordinate]Class{}, map[string]bool{}
	if err := c.wreck.each(c.learn); err != nil {
		return err
	}
	switch {
	case c.format > Format:
		return fmt.Errorf("%w: format %d, this version knows up to %d", ErrNewer, c.format, Format)
	case c.network != "" && c.network != c.into.network.ID():
		return fmt.Errorf("%w: %s, not %s", ErrForeign, c.network, c.into.network.ID())
	}
	if err := c.wreck.each(c.carry); err != nil {
		return err
	}
	return c.flush()
}

// learn finds out which value of each key is the newest, and what has to be known
// before any is carried.
func (c *salvager) learn(f found) error {
	select {
	case <-c.stop:
		return errStopped
	default:
	}
	if !matters(f.key) {
		return nil
	}
	if was, known := c.newest[string(f.key)]; known && !f.newer(was) {
		return nil
	}
	c.newest[string(f.key)] = f.version
	switch {
	case f.key[0] == sectionDisplaced:
		c.waiting[string(f.key)] = !f.removed
	case f.removed:
	case bytes.Equal(f.key, keyFormat):
		c.format, _ = binary.Uvarint(f.value)
	case bytes.Equal(f.key, keyNetwork):
		c.network = string(f.value)
	case f.key[0] == sectionPlace:
		at := records.Coordinate(f.key[1:])
		delete(c.classes, at)
		if h, err := parseHead(f.value); err == nil && h.class != Held {
			c.classes[at] = h.class
		}
	}
	return nil
}

// matters tells whether a value cannot be worked out from others.
func matters(key []byte) bool {
	if len(key) == 0 {
		return false
	}
	switch key[0] {
	case sectionRecord, sectionNode, sectionMeta, sectionDisplaced:
		return true
	case sectionPlace:
		return len(key) == headKeySize // for its class
	default:
		return false
	}
}

// carry takes what is newest into the new store.
func (c *salvager) carry(f found) error {
	if f.removed || len(f.key) == 0 || c.newest[string(f.key)] != f.version {
		return nil
	}
	switch f.key[0] {
	case sectionRecord:
		return c.carryRecord(f)
	case sectionNode:
		c.pending = append(c.pending, nodeWrite{bytes.Clone(f.key), append([]byte{}, f.value...)})
	}
	if len(c.batch)+len(c.pending) < maxPuts {
		return nil
	}
	return c.flush()
}

func (c *salvager) carryRecord(f found) error {
	st, err := parseStored(bytes.Clone(f.value))
	if err == nil && len(f.key) != recordKeySize {
		err = errValue
	}
	var r *records.Record
	if err == nil {
		r, err = restore(st, records.ItemKey(f.key[1:]), c.into.network)
	}
	if err != nil {
		c.bad++ // it is fetched again
		return nil
	}
	c.batch = append(c.batch, survivor{r, st.class, st.at})
	if len(c.batch)+len(c.pending) < maxPuts {
		return nil
	}
	return c.flush()
}

// flush writes what has been gathered.
func (c *salvager) flush() error {
	batch, pending := c.batch, c.pending
	c.batch, c.pending = nil, nil
	return c.into.do(context.Background(), func(g *group) error {
		for _, v := range batch {
			for _, at := range v.at {
				place, ok := placeAt(v.record, at)
				if !ok {
					continue
				}
				class, known := c.classes[at]
				if !known {
					class = Held
				}
				waits := c.waiting[string(displacedKey(at, place.Position(v.record)))]
				if err := g.readmit(records.Put{Place: place, Record: v.record}, class, waits); err != nil {
					return err
				}
			}
		}
		return g.writeNode(pending)
	})
}

// placeAt is the place at a coordinate where a record may stand.
func placeAt(r *records.Record, at records.Coordinate) (records.Place, bool) {
	for _, root := range r.Roots() {
		for level := 0; ; level++ {
			p := root.At(level, r)
			if p.Level() != level {
				break // the ladder's end
			}
			if p.Coordinate() == at {
				return p, true
			}
		}
	}
	return records.Place{}, false
}

// readmit merges a record that stood at a place, where it may have waited to be carried
// down. What would not be taken in, because it belongs below and another bears witness
// for it, did.
func (g *group) readmit(p records.Put, class Class, waits bool) error {
	o := offer{Put: p, class: class, at: p.Place.Coordinate()}
	if _, err := g.merge(o); err != nil {
		return err
	}
	it, s := g.items[p.Record.ItemKey()], g.shelves[o.at]
	if it.stands(o.at) && !waits {
		return nil
	}
	if err := s.load(g.view); err != nil {
		return err
	}
	if e, found := s.entryAt(s.place.Position(p.Record)); found {
		if e.role == witness {
			e.role |= displaced
			s.set(e)
		}
		return nil
	}
	s.set(entry{
		pos: s.place.Position(p.Record), id: it.record.ID(), role: displaced,
		child: s.place.ChildFor(p.Record).Coordinate(),
	})
	it.add(o.at)
	return nil
}

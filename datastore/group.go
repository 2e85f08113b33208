package datastore

import (
	"errors"
	"fmt"
	"slices"

	"github.com/starling-social/starling/records"
)

// A group is one batch in the making: what several callers want to change, on
// top of what the last batch left. Only the committer touches it.
//
// Every step first reads all that it needs and then changes the group, so that a
// step which fails leaves nothing half done.
type group struct {
	store   *Store
	view    snapshot
	items   map[records.ItemKey]*item
	shelves map[records.Coordinate]*shelf
	sums    map[records.Coordinate]sumChange
	damaged map[records.ItemKey][]byte // put aside in this group; nil: no longer so
	aside   map[records.ItemKey]int    // and with that, sizes of what is; 0: no longer so
	harmed  []records.Place            // where something was put aside
	node    map[string]int             // what keys of the node take, key and value; 0 if absent
	stats   Stats                      // as they will be
	space   diskSpace                  // when the group began
	grown   [Classes]int64             // at most, by what was admitted so far
	batch   *batch

	requests []*request // those that are part of it
}

// An item is one thing's record as the group has it.
type item struct {
	record *records.Record      // nil if nothing is stored
	at     []records.Coordinate // where it stands
	size   int                  // bytes on disk, key and value; 0 if nothing is
	class  Class                // as on disk
	lost   bool                 // the database itself could not read it: entries may be left over
	dirty  bool
}

// held is the version that stands anywhere in the store, nil if none does.
func (it *item) held() *records.Record {
	if len(it.at) == 0 {
		return nil
	}
	return it.record
}

func (it *item) stands(at records.Coordinate) bool {
	return slices.Contains(it.at, at)
}

// add and leave keep track of the places where the item stands.
func (it *item) add(at records.Coordinate) {
	if !it.stands(at) {
		it.at, it.dirty = append(it.at, at), true
	}
}

func (it *item) leave(at records.Coordinate) {
	if i := slices.Index(it.at, at); i >= 0 {
		it.at, it.dirty = slices.Delete(it.at, i, i+1), true
	}
}

// item is the record of a thing. One that is damaged is put aside, and there is
// then nothing here.
func (g *group) item(key records.ItemKey) (*item, error) {
	if it, known := g.items[key]; known {
		return it, nil
	}
	value, err := g.view.get(recordKey(key))
	if errors.Is(err, errNoKey) {
		it := new(item)
		g.items[key] = it
		return it, nil
	}
	if errors.Is(err, ErrCorrupt) {
		it := &item{lost: true, dirty: true, class: Held}
		g.items[key] = it
		return it, g.putAside(key, it, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("read record %s: %w", key, err)
	}
	s, err := parseStored(value)
	it := &item{size: recordKeySize + len(value), class: Held} // most likely, where nothing says so
	if err == nil {
		it.at, it.class = s.at, s.class
		it.record, err = restore(s, key, g.store.network)
	}
	g.items[key] = it
	if err != nil {
		return it, g.putAside(key, it, value)
	}
	return it, nil
}

// restore makes the record of a stored value again. It must be the one that is
// looked for.
func restore(s stored, key records.ItemKey, n records.Network) (*records.Record, error) {
	r, err := records.Restore(s.envelope, s.digest, n)
	if err != nil {
		return nil, err
	}
	if r.ItemKey() != key {
		return nil, fmt.Errorf("%w: record of another key", errValue)
	}
	return r, nil
}

// loadedShelf is a place that is known to have entries, with these.
func (g *group) loadedShelf(at records.Coordinate) (*shelf, error) {
	s, err := g.shelf(at, nil)
	if err != nil {
		return nil, err
	}
	return s, s.load(g.view)
}

// shelf is the place at a coordinate; without a place given, one that is known
// to have entries.
func (g *group) shelf(at records.Coordinate, place *records.Place) (*shelf, error) {
	if s, known := g.shelves[at]; known {
		return s, nil
	}
	s, cached := g.store.shelves.Get(at)
	if !cached {
		var err error
		if s, err = g.readShelf(at, place); err != nil {
			return nil, err
		}
	}
	g.shelves[at] = s
	return s, nil
}

func (g *group) readShelf(at records.Coordinate, place *records.Place) (*shelf, error) {
	s := &shelf{at: at}
	value, err := g.view.get(headKey(at))
	switch {
	case err == nil:
		s.stored = true
		s.head, err = parseHead(value)
		s.filed = s.class
	case errors.Is(err, errNoKey) && place != nil:
		s.loaded, s.head.place, err = true, *place, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read place at %s: %w", at, err)
	}
	s.capacity = g.store.network.Capacity(s.place)
	return s, nil
}

// count adds an entry to the fingerprints, or takes it away.
func (g *group) count(s *shelf, e entry) {
	f := records.Element(s.at, e.pos.Key, e.id)
	s.sum = s.sum.Plus(f)
	c := g.sums[s.at]
	c.plus = c.plus.Plus(f)
	g.sums[s.at] = c
}

func (g *group) discount(s *shelf, e entry) {
	f := records.Element(s.at, e.pos.Key, e.id)
	s.sum = s.sum.Minus(f)
	c := g.sums[s.at]
	c.minus = c.minus.Plus(f)
	g.sums[s.at] = c
}

// finish writes what the group has changed into its batch.
func (g *group) finish() {
	for key, it := range g.items {
		if it.dirty {
			g.writeItem(key, it)
		}
	}
	for _, s := range g.shelves {
		if len(s.changes) > 0 || s.class != s.filed {
			g.writeShelf(s)
		}
	}
	for prefix, c := range byPrefix(g.sums) {
		g.writeSum(prefix, c)
	}
	for key, value := range g.damaged {
		g.writeDamaged(key, value)
	}
	if len(g.batch.ops) > 0 {
		g.batch.set(keyStats, g.stats.value())
	}
}

func (g *group) writeItem(key records.ItemKey, it *item) {
	g.stats.add(it.class, -int64(it.size))
	if it.size > 0 || it.lost {
		g.stats.addRecord(it.class, -1)
	}
	it.size, it.lost, it.dirty = 0, false, false
	if len(it.at) == 0 {
		g.batch.remove(recordKey(key))
		return
	}
	it.class = g.classOf(it)
	v := stored{class: it.class, at: it.at, digest: it.record.Digest(), envelope: it.record.Bytes()}.value()
	g.batch.set(recordKey(key), v)
	it.size = recordKeySize + len(v)
	g.stats.add(it.class, int64(it.size))
	g.stats.addRecord(it.class, 1)
	if _, aside := g.store.aside[key]; aside || g.damaged[key] != nil {
		g.damaged[key] = nil // mended
	}
}

func (g *group) writeShelf(s *shelf) {
	for pos, c := range s.changes {
		g.writeEntry(s, pos, c)
	}
	if s.class != s.filed { // and then the shelf is loaded
		for _, e := range s.entries {
			if _, changed := s.changes[e.pos]; !changed {
				g.account(s.filed, &e, -1)
				g.account(s.class, &e, 1)
			}
		}
	}
	value := s.value()
	size := int64(headKeySize + len(value)) // the same as before: only the numbers in it change
	if s.stored {
		g.stats.Places--
		g.stats.add(s.filed, -size)
	}
	s.clean()
	if !s.stored {
		g.batch.remove(headKey(s.at))
		return
	}
	g.batch.set(headKey(s.at), value)
	g.stats.Places++
	g.stats.add(s.class, size)
}

func (g *group) writeEntry(s *shelf, pos records.Position, c change) {
	at := s.at
	g.account(s.filed, c.was, -1)
	g.account(s.class, c.is, 1)
	switch {
	case c.is != nil:
		g.batch.set(entryKey(at, pos), c.is.value())
	case c.was != nil:
		g.batch.remove(entryKey(at, pos))
	}
	was, is := c.was != nil && c.was.role&displaced != 0, c.is != nil && c.is.role&displaced != 0
	switch {
	case is && !was:
		g.batch.set(displacedKey(at, pos), nil)
	case was && !is:
		g.batch.remove(displacedKey(at, pos))
	}
}

// account adds what an entry in a place of some class takes, or with -1 takes it
// away.
func (g *group) account(class Class, e *entry, sign int64) {
	if e == nil {
		return
	}
	g.stats.add(class, sign*int64(entryKeySize+e.valueSize()))
	if e.counts() {
		g.stats.Entries += sign
	}
	if e.role&displaced != 0 {
		g.stats.Displaced += sign
		g.stats.add(class, sign*int64(entryKeySize))
	}
}

// byPrefix adds up the changes of places under each prefix whose sum is on disk.
func byPrefix(changes map[records.Coordinate]sumChange) map[uint16]sumChange {
	out := make(map[uint16]sumChange, len(changes))
	for at, c := range changes {
		sum := out[sumPrefix(at)]
		out[sumPrefix(at)] = sumChange{plus: sum.plus.Plus(c.plus), minus: sum.minus.Plus(c.minus)}
	}
	return out
}

func (g *group) writeSum(prefix uint16, c sumChange) {
	was := g.store.sums.leaf(prefix)
	is := c.of(was)
	const size = int64(sumKeySize + fingerprintSize)
	if was.Count > 0 {
		g.stats.Bytes -= size
	}
	if is.Count == 0 {
		g.batch.remove(sumKey(prefix))
		return
	}
	g.batch.set(sumKey(prefix), appendFingerprint(nil, is))
	g.stats.Bytes += size
}

func (g *group) writeDamaged(key records.ItemKey, value []byte) {
	if size, aside := g.store.aside[key]; aside {
		g.stats.Damaged--
		g.stats.Bytes -= int64(size)
	}
	if value == nil {
		g.aside[key] = 0
		g.batch.remove(damagedKey(key))
		return
	}
	g.batch.set(damagedKey(key), value)
	g.stats.Damaged++
	g.stats.Bytes += int64(recordKeySize + len(value))
	g.aside[key] = recordKeySize + len(value)
}

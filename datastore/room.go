package datastore

import (
	"fmt"
	"math"

	"github.com/starling-social/starling/records"
)

// Limits bound what a store takes in. What stands here already can always be read,
// deleted and dropped.
type Limits struct {
	Quota    int64 // bytes of everything, as [Stats] counts them, above which nothing but the owner's is taken in; 0 for none
	Followed int64 // of these, bytes of followed copies; 0 for as many as there is room for
	Cached   int64 // of these, bytes of cached copies; 0 for as many as there is room for
	Floor    int64 // bytes of disk left free by what others want stored, and three tenths of it by the owner's; 0 for a tenth of the disk, at most 2 GiB; negative for none
}

// Of the free space that others leave the owner may use all but ownFloor, so that
// the database can still move its files about and write down deletions.
const (
	mostFloor = 2 << 30
	ownFloor  = 0.3
)

// Marks of what may be used: from high on room is made until low is reached.
const (
	highMark = 0.95
	lowMark  = 0.9
)

// of is the limit of one class; none for those that have none of their own.
func (l Limits) of(c Class) int64 {
	switch {
	case c == Cached && l.Cached > 0:
		return l.Cached
	case c == Followed && l.Followed > 0:
		return l.Followed
	default:
		return math.MaxInt64
	}
}

func (l Limits) quota() int64 {
	if l.Quota <= 0 {
		return math.MaxInt64
	}
	return l.Quota
}

// floor is how many bytes of a disk are to be left free by what others want stored.
func (l Limits) floor(d diskSpace) int64 {
	switch {
	case l.Floor < 0:
		return 0
	case l.Floor > 0:
		return l.Floor
	default:
		return min(d.total/10, mostFloor)
	}
}

// diskSpace is how much of a disk there is, and is free to us.
type diskSpace struct{ free, total int64 }

// check tells why bytes more of a class cannot be taken in; nil if they can.
func (l Limits) check(c Class, bytes int64, s Stats, d diskSpace) error {
	floor := l.floor(d)
	if c == Own {
		floor = int64(float64(floor) * ownFloor)
	}
	switch {
	case d.free-bytes < floor:
		return fmt.Errorf("%w: %d bytes of disk are free, %d are to stay so", ErrFloor, d.free, floor)
	case c == Own:
		return nil
	case s.Bytes+bytes > l.quota():
		return fmt.Errorf("%w: %d of %d bytes are used", ErrQuota, s.Bytes, l.quota())
	case s.Class[c].Bytes+bytes > l.of(c):
		return fmt.Errorf("%w: %d of %d bytes for %s copies are used", ErrQuota, s.Class[c].Bytes, l.of(c), c)
	default:
		return nil
	}
}

// Excess is the class of copies of which some should be removed now, lowest first,
// and how many bytes of them; 0 when there is nothing to remove or no need.
func (s *Store) Excess() (c Class, bytes int64) {
	space, err := s.space()
	if err != nil {
		return Cached, 0
	}
	return s.limits.excess(s.Stats(), space)
}

func (l Limits) excess(s Stats, d diskSpace) (c Class, bytes int64) {
	for c := range Held {
		if over := above(s.Class[c].Bytes, l.of(c)); over > 0 {
			return c, over
		}
	}
	over := above(s.Bytes, l.quota())
	if b := l.onDisk(d); b.Short {
		over = max(over, -b.Bytes)
	}
	for c := Cached; c < Held && over > 0; c++ {
		if s.Class[c].Bytes > 0 {
			return c, min(over, s.Class[c].Bytes)
		}
	}
	return Cached, 0
}

// A Room is how much more can be kept for others for good.
type Room struct {
	Bytes int64 // that fit; less than 0 when there are so many too many
	Short bool  // too many by so much that some should go
	Of    Bound // what leaves no more
}

// A Bound is what limits a store.
type Bound uint8

// The bounds.
const (
	Disk  Bound = iota // what is to be left free of it
	Quota              // the store's own
)

// Room counts copies as room, because they go first. It asks the disk.
func (s *Store) Room() (Room, error) {
	space, err := s.space()
	if err != nil {
		return Room{}, err
	}
	return s.limits.room(s.Stats(), space), nil
}

func (l Limits) room(s Stats, d diskSpace) Room {
	copies := s.Class[Cached].Bytes + s.Class[Followed].Bytes
	d.free = min(d.free, math.MaxInt64-copies) + copies
	room := l.onDisk(d)
	if quota := l.quota(); quota < math.MaxInt64 {
		used := s.Bytes - copies
		if left := int64(lowMark*float64(quota)) - used; left < room.Bytes {
			room = Room{Bytes: left, Short: above(used, quota) > 0, Of: Quota}
		}
	}
	return room
}

// onDisk is how much more fits on a disk, which is less full only some time after
// something has gone. One without a floor is taken for one without end.
func (l Limits) onDisk(d diskSpace) Room {
	floor := l.floor(d)
	if floor <= 0 {
		return Room{Bytes: math.MaxInt64}
	}
	return Room{Bytes: d.free - floor - floor/4, Short: d.free < floor+floor/8}
}

// above is by how much what is used is above the low mark of its limit, once it is
// above the high one.
func above(used, limit int64) int64 {
	if float64(used) < highMark*float64(limit) {
		return 0
	}
	return used - int64(lowMark*float64(limit))
}

// Pressed holds a token when [Store.Excess] or [Store.Room] may have something to say.
func (s *Store) Pressed() <-chan struct{} { return s.pressed }

func (s *Store) press(d diskSpace) {
	stats := s.Stats()
	if _, bytes := s.limits.excess(stats, d); bytes == 0 && !s.limits.room(stats, d).Short {
		return
	}
	select {
	case s.pressed <- struct{}{}:
	default:
	}
}

// space is what the disk has.
func (s *Store) space() (diskSpace, error) {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return diskSpace{}, ErrClosed
	}
	return s.kv.space()
}

// admit tells why a put cannot be taken in for want of room; nil if it can. What
// changes nothing, what deletes, and what takes no more than the version before it
// did always can.
func (g *group) admit(s *shelf, it *item, o offer) error {
	held := it.held()
	stands := it.stands(s.at)
	wins := held == nil || o.Record.Wins(held)
	r := o.Record
	switch {
	case stands && !wins,
		held != nil && wins && r.Deleted(),
		stands && len(r.Bytes()) <= len(held.Bytes()):
		return nil
	}
	var need int64
	if !stands {
		need = s.standingBytes()
	}
	if wins {
		need += recordBytes + int64(len(r.Bytes()))
		if held != nil {
			need -= min(need, int64(len(held.Bytes())))
		}
	}
	c := s.class
	if g.store.isOwn(r) {
		c = Own
	}
	used := g.stats
	used.add(c, g.grown[c])
	for other, grown := range g.grown {
		if Class(other) != c {
			used.Bytes += grown
		}
	}
	if err := g.store.limits.check(c, need, used, g.space); err != nil {
		return err
	}
	g.grown[c] += need
	return nil
}

// recordBytes is what a record takes besides its bytes.
const recordBytes = int64(recordKeySize + 2 + len(records.Digest{}))

// standingBytes is what one more standing takes at most: its entry, the head and the
// sum of a place that is new, and in a full bucket what becomes of the displaced.
func (s *shelf) standingBytes() int64 {
	n := coordinateSize + entryKeySize + entry{}.valueSize()
	if !s.stored && len(s.changes) == 0 {
		n += headKeySize + len(s.head.value()) + sumKeySize + fingerprintSize
	}
	if s.full() {
		n += 2 * (coordinateSize + entryKeySize)
	}
	return int64(n)
}

// below is the outcome of a put for which there is no room, where it would have
// been nothing but word that it belongs further down.
func (g *group) below(s *shelf, o offer) (records.Outcome, bool) {
	if !s.full() || s.load(g.view) != nil {
		return records.Outcome{}, false
	}
	pos := s.place.Position(o.Record)
	if s.bucket > 0 && pos.Compare(s.bound()) < 0 {
		return records.Outcome{}, false
	}
	w, found := s.witnessOf(s.place.ChildFor(o.Record).Coordinate())
	return records.Outcome{Status: records.Below, Bound: s.bound()}, found && w.pos.Compare(pos) < 0
}

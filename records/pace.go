package records

import "slices"

// How a walk guesses. A bucket keeps the oldest records of its slot, so the
// newest stand in the finest slots that the traffic fills, and a reader who only
// follows witnesses needs a round for every level. But the records of a full
// bucket tell how fast it filled, and that tells which levels are full too and
// how far back a page reaches.

// pace is milliseconds from one record to the next.
type pace struct {
	fast, slow Millis // of the latest few records, and of all that were seen
}

// latestFew is how many records tell the pace of a burst that began within a bucket.
const latestFew = 12

// paceOf is the pace of a bucket's records, newest first; none of fewer than two.
func paceOf(rs []*Record) (p pace, ok bool) {
	if len(rs) < 2 {
		return pace{}, false
	}
	few, all := min(latestFew, len(rs))-1, len(rs)-1
	a := (rs[0].created - rs[few].created) / Millis(few)
	b := (rs[0].created - rs[all].created) / Millis(all)
	return pace{fast: max(min(a, b), 1), slow: max(a, b, 1)}, true
}

// fills tells whether traffic of this pace fills at least half a bucket in a slot.
func (p pace) fills(level, capacity int) bool { return span(level) >= p.fast*Millis(capacity)/2 }

// overflows tells whether such traffic so nearly fills a bucket in a slot that
// now and then the slot has children.
func (p pace) overflows(level, capacity int) bool {
	return span(level) >= p.fast*Millis(capacity)*3/4
}

// maxGuesses is how many slots are guessed at one level: where a page spans
// more, the level above is not full.
const maxGuesses = 8

// maxReach is how many records a guess looks ahead at most.
const maxReach = 1 << 10

// guess puts down, for a bucket with children, finer slots that are likely to be
// witnessed: of each level that fills, those in which a page lies that ends where
// the walk or the newest child ends. If that is where the child ends, its traffic
// may have stopped anywhere within it, and all its own children are put down too.
func (w *Walk) guess(b Bucket, children map[Place]bool) {
	newest, ok := w.newestOf(children)
	if !ok {
		return
	}
	p, ok := paceOf(b.Records)
	if !ok {
		return
	}
	_, to := newest.Span()
	first, _ := b.Place.Span()
	end, stretch := min(w.latest(), to-1), p.slow*Millis(min(w.want+w.want/4+2, maxReach))
	capacity, root := w.network.Params.Capacity, b.Place.Root()
	for level := newest.Level(); level <= minuteLevel && p.fills(level-1, capacity); level++ {
		n := min((stretch+span(level)-1)/span(level)+1, maxGuesses)
		for t := end; t >= first && n > 0; t, n = t-span(level), n-1 {
			slot := root.at(level, t, ItemKey{})
			if !children[slot.at(newest.Level(), t, ItemKey{})] {
				continue
			}
			w.suppose(slot)
			if level == minuteLevel && end == w.latest() && p.overflows(level, capacity) {
				w.supposeChildren(slot)
			}
		}
	}
	if end < w.latest() && p.fills(newest.Level(), capacity) {
		w.supposeChildren(newest)
	}
}

// Suppose puts down, before the first round, places that held something when the
// same page was read before, and of each of their levels the slot of the present: so
// a timeline that is read again, quiet or busy, takes a round. Places of other trees
// are passed over.
func (w *Walk) Suppose(places ...Place) {
	for _, p := range places {
		if p.Level() < LevelYear || !slices.Contains(w.roots, p.Root()) || !w.overlaps(p, nil) {
			continue
		}
		w.suppose(p)
		if p.Level() <= minuteLevel {
			w.suppose(p.Root().at(p.Level(), w.latest(), ItemKey{}))
		}
	}
}

// Held are the places that something speaks for and that lie where the page does, in
// the order in which they answered: what is worth supposing when it is read again.
func (w *Walk) Held() (held []Place) {
	oldest := w.oldest()
	for _, p := range w.answered {
		_, to := p.Span()
		if inPage := oldest == nil || to > oldest.created; inPage && w.known[p] && !slices.Contains(held, p) {
			held = append(held, p)
		}
	}
	return held
}

// supposeChildren puts down all children of p: its slots, or from the minute on
// its nibbles.
func (w *Walk) supposeChildren(p Place) {
	from, to := p.Span()
	if p.Level() < minuteLevel {
		for t := from; t < to; t += span(p.Level() + 1) {
			w.suppose(p.at(p.Level()+1, t, ItemKey{}))
		}
		return
	}
	for nibble := range byte(16) {
		w.suppose(p.at(p.Level()+1, from, withNibble(p.prefix, p.nibbles(), nibble)))
	}
}

// newestOf is the newest of places that a page can come from; none below the
// minutes, where time no longer splits.
func (w *Walk) newestOf(places map[Place]bool) (newest Place, ok bool) {
	for p := range places {
		if from, _ := p.Span(); p.Level() > minuteLevel || from > w.before.Created {
			continue
		}
		if !ok || newerFirst(p, newest) < 0 {
			newest, ok = p, true
		}
	}
	return newest, ok
}

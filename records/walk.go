package records

import (
	"maps"
	"slices"
)

// Walk reads one page of a timeline, newest first, down the tree of buckets. It
// is a pure conversation: Ask says what to fetch next, Answer and Fail say what
// came of it, and when Ask has no more questions, Page is complete.
//
// Round one asks the root, this year, this month and the last one. Where a month
// is full, round two guesses from the month's own density which of the finer
// slots hold the page, and asks them all at once, together with every child that
// is witnessed. Later rounds ask witnessed children that the page may still lack.
// Steady traffic takes two rounds however dense it is; empty years and months
// are never asked, because nothing witnesses them.
type Walk struct {
	network Network
	root    Place
	before  Position
	now     Millis
	want    int

	next    map[Place]Position // what Ask will ask if the page still needs it: place and before
	asked   map[Place]bool
	found   map[ItemKey]*Record
	failed  map[Place]bool
	started bool
}

const (
	maxAsk     = 16 // places a round: enough for a year's months, few enough for one frame a member
	pagePosts  = 75 // posts that guessed slots should span, half as much again as a page of 50
	maxGuesses = 8  // slots guessed at one level
)

// NewWalk begins to read the want newest records before a position (exclusive)
// of the timeline at root, which must stand on the time ladder.
func NewWalk(n Network, root Place, before Position, now Millis, want int) *Walk {
	return &Walk{
		network: n, root: root.Root(), before: before, now: now, want: want,
		next: map[Place]Position{}, asked: map[Place]bool{}, found: map[ItemKey]*Record{}, failed: map[Place]bool{},
	}
}

// Page is what a walk found.
type Page struct {
	Records []*Record // newest first, no expired ones
	Gaps    []Place   // what nobody answered for, of the page's own stretch of time
	More    bool      // there may be older records
}

// Ask returns the next round of questions, none when the page is complete.
func (w *Walk) Ask() []Query {
	if !w.started {
		w.started = true
		w.begin()
	}
	oldest := w.oldest()
	places := slices.DeleteFunc(slices.Collect(maps.Keys(w.next)), func(p Place) bool { return !w.overlaps(p, oldest) })
	slices.SortFunc(places, newerFirst)
	queries := make([]Query, 0, maxAsk)
	for _, p := range places[:min(len(places), maxAsk)] {
		queries = append(queries, Query{Place: p, Before: w.next[p], Limit: max(w.network.Capacity(p), 0)})
		w.asked[p] = true
		delete(w.next, p)
	}
	return queries
}

// begin puts down the questions of round one.
func (w *Walk) begin() {
	w.expect(w.root)
	if !w.root.kind.indexed() {
		return // the first of these records stand at the root itself
	}
	from := w.latest()
	w.expect(w.root.at(LevelYear, from, ItemKey{}))
	w.expect(w.root.at(LevelMonth, from, ItemKey{}))
	if from >= span(LevelMonth) {
		w.expect(w.root.at(LevelMonth, from-span(LevelMonth), ItemKey{}))
	}
}

// latest is the time from which the walk counts back.
func (w *Walk) latest() Millis {
	return min(w.before.Created, w.now+Millis(MaxAhead.Milliseconds()), MaxMillis)
}

// Answer takes in what a holder, or the union of several, has of a place.
func (w *Walk) Answer(b Bucket) {
	delete(w.failed, b.Place)
	for _, r := range b.Records {
		w.take(r)
	}
	for _, r := range b.Witnesses {
		w.take(r)
		if child := b.Place.ChildFor(r); child != b.Place {
			w.expect(child)
		}
	}
	if b.More && len(b.Records) > 0 {
		w.next[b.Place] = b.Place.Position(b.Records[len(b.Records)-1])
	}
	if b.Full && b.Place.Level() == LevelMonth && len(b.Witnesses) > 0 && len(b.Records) > 0 {
		w.guess(b)
	}
}

// Fail notes that nobody answered for a place.
func (w *Walk) Fail(p Place) { w.failed[p] = true }

// take keeps the winning version of r's thing if the page may show it.
func (w *Walk) take(r *Record) {
	if w.root.Position(r).Compare(w.before) >= 0 {
		return
	}
	if held := w.found[r.key]; held == nil || r.Wins(held) {
		w.found[r.key] = r
	}
}

// expect puts down a question that was not asked before.
func (w *Walk) expect(p Place) {
	if _, ok := w.next[p]; ok || w.asked[p] {
		return
	}
	w.next[p] = w.before
}

// guess puts down, for a full month, the finer slots that most likely hold the
// page: how far back a page reaches follows from how fast the month filled.
func (w *Walk) guess(month Bucket) {
	from, to := month.Place.Span()
	a := min(w.latest(), to-1)
	if a < from {
		return
	}
	filled := max(month.Place.Position(month.Records[0]).Created-from, 1)
	held := Millis(len(month.Records))
	reach := filled * pagePosts / held
	for level := LevelMonth + 1; level <= minuteLevel; level++ {
		if held*span(level-1) < filled*Millis(w.network.Params.Capacity)/2 {
			break // the level above is not half full at this pace, so nothing is below it
		}
		n := min(max(int(reach/span(level))+1, 2), maxGuesses)
		for i := range Millis(n) {
			if t := a - i*span(level); t >= from {
				w.expect(w.root.at(level, t, ItemKey{}))
			}
		}
	}
}

// overlaps tells whether p can hold a record of the page, whose oldest is oldest
// once it is full.
func (w *Walk) overlaps(p Place, oldest *Record) bool {
	from, to := p.Span()
	return from <= w.before.Created && (oldest == nil || to > oldest.created)
}

// oldest is the last record of a full page, nil while the page is not full.
func (w *Walk) oldest() *Record {
	if page := w.sorted(); len(page) >= w.want {
		return page[w.want-1]
	}
	return nil
}

func (w *Walk) sorted() []*Record {
	all := make([]*Record, 0, len(w.found))
	for _, r := range w.found {
		if r.expires == 0 || r.expires > w.now {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(r, s *Record) int { return w.root.Position(s).Compare(w.root.Position(r)) })
	return all
}

// Page is what has been found so far; it is complete when Ask asks no more.
func (w *Walk) Page() Page {
	oldest := w.oldest()
	all := w.sorted()
	page := Page{Records: all[:min(len(all), w.want)], More: oldest != nil}
	for p := range w.failed {
		if w.overlaps(p, oldest) {
			page.Gaps = append(page.Gaps, p)
		}
	}
	slices.SortFunc(page.Gaps, newerFirst)
	return page
}

// newerFirst orders places by the end of their time, and coarser ones first.
func newerFirst(p, q Place) int {
	_, pTo := p.Span()
	_, qTo := q.Span()
	switch {
	case pTo != qTo:
		return int(max(min(qTo-pTo, 1), -1))
	case p.level != q.level:
		return int(p.level) - int(q.level)
	default:
		return slices.Compare(p.prefix[:], q.prefix[:])
	}
}

package records

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// Walk reads one page of a timeline, newest first, down its tree of buckets, or
// down the trees of many timelines at once, merged by time. It is a pure
// conversation: Ask says what to fetch next, Answer and Fail say what came of it,
// and when Ask has no more questions, Page is complete. What stands at the head of
// the page for certain is Settled before that.
//
// Round one asks the root, this year, this month and the last one, or those of
// the cursor. What is asked later is witnessed, and overlaps the stretch of time
// that the page may still come from; and with it, in the same round, finer slots
// that the pace of the records seen says will be witnessed too. So steady traffic
// takes two rounds however dense it is, and empty years and months are never
// asked, because nothing witnesses them.
//
// Whoever answers can cost a walk questions, never records that another answer
// shows. Their number is bounded; what is left unasked is a gap.
type Walk struct {
	network Network
	roots   []Place
	before  Position
	now     Millis
	want    int
	limit   int // records asked of a bucket

	left     int             // questions that may still be asked
	known    map[Place]bool  // put down at any time; true where it is more than a guess
	pending  map[Place]Query // put down and not asked yet
	open     map[Place]Query // asked and not answered yet
	failed   map[Place]bool
	found    map[ItemKey]*Record // those before the cursor
	order    []*Record           // what sorted gives, until something else is found; nil then
	answered []Place             // in this order
}

// Bounds of a walk.
const (
	maxRound     = 128 // questions at once, and so many more for each root after the first:
	maxRoundRoot = 8   // year, two months and some slots
	maxQuestions = 512 // of a whole walk, besides those for what it wants, and so many more for each root:
	maxRootAsks  = 16
	minLimit     = 16 // records asked of a bucket at least, because they tell the pace
	maxWant      = 1 << 20
)

// NewWalk begins to read the want newest records before a position (exclusive) of
// the timelines at roots, which must stand on the time ladder. There must be at
// least one.
func NewWalk(n Network, roots []Place, before Position, now Millis, want int) *Walk {
	w := &Walk{
		network: n, before: before, now: now, want: min(max(want, 1), maxWant),
		known: map[Place]bool{}, pending: map[Place]Query{}, open: map[Place]Query{},
		failed: map[Place]bool{}, found: map[ItemKey]*Record{},
	}
	// Of many timelines each gives the page a part, and few give it more than four
	// times their share; who does is asked again.
	w.limit = max(min(w.want, 4*w.want/len(roots)), minLimit)
	// A page may come from as many years and months as it has records.
	w.left = maxQuestions + maxRootAsks*(len(roots)-1) + 4*w.want
	for _, root := range roots {
		w.roots = append(w.roots, root.Root())
		w.begin(root.Root())
	}
	return w
}

// begin puts down the questions of round one.
func (w *Walk) begin(root Place) {
	w.expect(root)
	if !root.kind.indexed() {
		return // the first of these records stand at the root itself
	}
	from := w.latest()
	w.suppose(root.at(LevelYear, from, ItemKey{}))
	w.suppose(root.at(LevelMonth, from, ItemKey{}))
	if from >= span(LevelMonth) {
		w.suppose(root.at(LevelMonth, from-span(LevelMonth), ItemKey{}))
	}
}

// position is where r stands in the merged timeline. Every root is of the time
// ladder, so the order is the same in all of them.
func (w *Walk) position(r *Record) Position { return w.roots[0].Position(r) }

// latest is the time from which the walk counts back. What is dated ahead of it
// is witnessed like everything else.
func (w *Walk) latest() Millis { return max(min(w.before.Created, w.now, MaxMillis), 0) }

// Page is what a walk found.
type Page struct {
	Records []*Record // newest first, no expired ones
	Gaps    []Place   // of the page's own stretch of time, what nobody answered for
	More    bool      // there may be older records
}

// Ask returns the next round of questions, none when the page is complete or
// the walk has gone on for too long.
func (w *Walk) Ask() []Query {
	places, sure := w.needed(maps.Keys(w.pending))
	if !sure {
		return nil
	}
	n := min(len(places), maxRound+maxRoundRoot*(len(w.roots)-1), w.left)
	queries := make([]Query, 0, n)
	for _, p := range places[:n] {
		w.open[p] = w.pending[p]
		queries = append(queries, w.pending[p])
		delete(w.pending, p)
	}
	w.left -= len(queries)
	return queries
}

// Answer takes in what a holder, or the union of several, has of a place that
// was asked about. What is not an answer to the question is passed over.
func (w *Walk) Answer(b Bucket) {
	q, asked := w.open[b.Place]
	if !asked {
		return
	}
	delete(w.open, b.Place)
	delete(w.failed, b.Place)
	b.Records = fitting(b.Place, b.Records, q.Before)
	for _, r := range b.Records {
		w.take(r)
	}
	if last := len(b.Records) - 1; b.More && last >= 0 {
		w.known[b.Place] = true
		w.ask(b.Place, b.Place.Position(b.Records[last]))
	}
	w.answered = append(w.answered, b.Place)
	children := w.descend(b)
	w.guess(b, children)
}

// fitting is those of rs that belong to p and before a position.
func fitting(p Place, rs []*Record, before Position) []*Record {
	out := make([]*Record, 0, len(rs))
	for _, r := range rs {
		if p.Position(r).Compare(before) < 0 && Fits(r, p) == nil {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(r, s *Record) int { return p.Position(s).Compare(p.Position(r)) })
	return out
}

// descend takes the witnesses of a bucket, puts down the children that they
// speak for and returns these.
func (w *Walk) descend(b Bucket) map[Place]bool {
	children := map[Place]bool{}
	for _, r := range b.Witnesses {
		if Fits(r, b.Place) != nil {
			continue
		}
		w.take(r)
		if child := b.Place.ChildFor(r); child != b.Place {
			w.expect(child)
			children[child] = true
		}
	}
	return children
}

// Fail notes that nobody answered for a place.
func (w *Walk) Fail(p Place) {
	if _, asked := w.open[p]; asked {
		delete(w.open, p)
		w.failed[p] = true
	}
}

// take keeps the winning version of r's thing if the page may show it.
func (w *Walk) take(r *Record) {
	if w.position(r).Compare(w.before) >= 0 {
		return
	}
	if held := w.found[r.key]; held == nil || r.Wins(held) {
		w.found[r.key] = r
		w.order = nil
	}
}

// expect puts down a place that something speaks for.
func (w *Walk) expect(p Place) {
	w.suppose(p)
	w.known[p] = true
}

// suppose puts down a guess: asked along with others, never for its own sake.
func (w *Walk) suppose(p Place) {
	if _, ok := w.known[p]; !ok {
		w.known[p] = false
		w.ask(p, w.before)
	}
}

func (w *Walk) ask(p Place, before Position) {
	w.pending[p] = Query{Place: p, Before: before, Limit: min(w.limit, w.network.Capacity(p))}
}

// needed is those of places that can hold a record which the page lacks, newest
// first, and whether something speaks for any of them.
func (w *Walk) needed(places iter.Seq[Place]) (out []Place, sure bool) {
	oldest := w.oldest()
	for p := range places {
		if w.overlaps(p, oldest) {
			out = append(out, p)
			sure = sure || w.known[p]
		}
	}
	slices.SortFunc(out, newerFirst)
	return out, sure
}

// overlaps tells whether p can hold a record of the page, whose oldest is oldest
// once it is full.
func (w *Walk) overlaps(p Place, oldest *Record) bool {
	from, to := p.Span()
	if from > w.before.Created {
		return false
	}
	if oldest == nil {
		return true
	}
	q, pending := w.pending[p]
	return to > oldest.created && (!pending || q.Before.Compare(w.position(oldest)) > 0)
}

// oldest is the last record of a full page, nil while the page is not full.
func (w *Walk) oldest() *Record {
	if all := w.sorted(); len(all) >= w.want {
		return all[w.want-1]
	}
	return nil
}

// sorted is what was found and has not expired, newest first. Some of it may have been
// handed out: nobody changes it.
func (w *Walk) sorted() []*Record {
	if w.order != nil {
		return w.order
	}
	all := make([]*Record, 0, len(w.found))
	for _, r := range w.found {
		if r.expires == 0 || r.expires > w.now {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(r, s *Record) int { return w.position(s).Compare(w.position(r)) })
	w.order = slices.Clip(all)
	return w.order
}

// Settled is the head of the page as far as it is certain: what stands after every
// place that is still to be asked or to answer. Guesses count too, and what was read
// already of a place that is asked for more, for both can be answered with witnesses
// that nobody spoke of before. It only grows, and ends as the page's records.
func (w *Walk) Settled() []*Record {
	all := w.sorted()
	if _, sure := w.needed(maps.Keys(w.pending)); !sure && len(w.open) == 0 {
		return head(all, w.want) // nothing is asked any more, guesses neither
	}
	var unknown Position
	for _, queries := range []map[Place]Query{w.pending, w.open} {
		for p := range queries {
			from, to := p.Span()
			if from > w.before.Created {
				continue
			}
			if end := earlier(w.before, Position{Created: to}); end.Compare(unknown) > 0 {
				unknown = end
			}
		}
	}
	n := 0
	for n < min(len(all), w.want) && w.position(all[n]).Compare(unknown) >= 0 {
		n++
	}
	return head(all, n)
}

// head is the first n of all, or what there is; appending to it copies.
func head(all []*Record, n int) []*Record { return slices.Clip(all[:min(len(all), n)]) }

func earlier(a, b Position) Position {
	if a.Compare(b) < 0 {
		return a
	}
	return b
}

// Page is what has been found so far, complete when Ask asks no more. Its gaps
// are the places that something speaks for and nobody answered for, because they
// failed or were not asked.
func (w *Walk) Page() Page {
	all := w.sorted()
	unknown := maps.Clone(w.failed)
	for p := range w.pending {
		unknown[p] = true
	}
	for p := range w.open {
		unknown[p] = true
	}
	maps.DeleteFunc(unknown, func(p Place, _ bool) bool { return !w.known[p] })
	gaps, _ := w.needed(maps.Keys(unknown))
	return Page{Records: head(all, w.want), Gaps: gaps, More: len(all) >= w.want}
}

// newerFirst orders places by the end of their time, and coarser ones first.
func newerFirst(p, q Place) int {
	_, pTo := p.Span()
	_, qTo := q.Span()
	return cmp.Or(cmp.Compare(qTo, pTo), cmp.Compare(p.level, q.level), slices.Compare(p.prefix[:], q.prefix[:]))
}

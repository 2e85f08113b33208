package records_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

// A reading is one walk of a tree and what it cost.
type reading struct {
	rounds  int
	queries []records.Query
	seen    int // records and witnesses transferred
	page    records.Page
	held    []records.Place // what may be supposed the next time
}

// read walks one page of a tree in which some places fail.
func (t *tree) read(root records.Place, before records.Position, now records.Millis, want int, fails ...records.Place) (out reading) {
	return t.readSupposing(nil, root, before, now, want, fails...)
}

// readSupposing does so with places to begin with.
func (t *tree) readSupposing(supposed []records.Place, root records.Place, before records.Position, now records.Millis, want int, fails ...records.Place) (out reading) {
	w := records.NewWalk(t.network, []records.Place{root}, before, now, want)
	w.Suppose(supposed...)
	for {
		queries := w.Ask()
		if len(queries) == 0 {
			out.page, out.held = w.Page(), w.Held()
			return out
		}
		out.rounds++
		out.queries = append(out.queries, queries...)
		for _, q := range queries {
			if slices.Contains(fails, q.Place) {
				w.Fail(q.Place)
				continue
			}
			b := t.bucket(q)
			out.seen += len(b.Records) + len(b.Witnesses)
			w.Answer(b)
		}
	}
}

// timelines are the shapes that stand on the time ladder.
func timelines(t testing.TB) []shape {
	return slices.DeleteFunc(shapes(t), func(s shape) bool { return !s.root.Timed() })
}

// eachTimeline checks a property of random parts of every timeline.
func eachTimeline(t *testing.T, property func(t *rapid.T, tr *tree, s shape, some []*records.Record)) {
	t.Helper()
	for _, s := range timelines(t) {
		for _, capacity := range []int{1, 3, 16} {
			n := small(t, capacity)
			t.Run(fmt.Sprintf("%s, %d to a bucket", s.name, capacity), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					some := rapid.SliceOfN(rapid.SampledFrom(s.records), 0, 120).Draw(t, "records")
					tr := newTree(n)
					for _, r := range some {
						tr.put(s.root, r)
					}
					property(t, tr, s, some)
				})
			})
		}
	}
}

// truth is the page that a reader should see.
func truth(root records.Place, rs []*records.Record, before records.Position, want int) []*records.Record {
	all := winners(root, rs)
	slices.Reverse(all)
	all = slices.DeleteFunc(all, func(r *records.Record) bool { return root.Position(r).Compare(before) >= 0 })
	return all[:min(len(all), want)]
}

// drawCursor is anywhere in a timeline: its end, a record, or some other time.
func drawCursor(t *rapid.T, root records.Place, rs []*records.Record) records.Position {
	cursors := []records.Position{records.Newest, {}, {Created: records.MillisOf(noon)}, {Created: records.MillisOf(noon) - 1000}}
	for _, r := range rs {
		cursors = append(cursors, root.Position(r))
	}
	return rapid.SampledFrom(cursors).Draw(t, "before")
}

// A walk yields exactly the newest records before the cursor, newest first, and
// asks about no place twice.
func TestWalk_exact(t *testing.T) {
	eachTimeline(t, func(t *rapid.T, tr *tree, s shape, some []*records.Record) {
		before := drawCursor(t, s.root, some)
		want := rapid.IntRange(1, 40).Draw(t, "want")
		out := tr.read(s.root, before, records.MillisOf(noon), want)
		if page := truth(s.root, some, before, want); !slices.Equal(out.page.Records, page) {
			t.Fatalf("%d records, want %d", len(out.page.Records), len(page))
		}
		if out.page.More != (len(out.page.Records) == want) || len(out.page.Gaps) > 0 {
			t.Fatalf("more %t, gaps %v", out.page.More, out.page.Gaps)
		}
		checkQueries(t, tr, s.root, out)
	})
}

// checkQueries: each place once, save that a page of it may be continued further
// back; and after round one no year or month that holds nothing.
func checkQueries(t *rapid.T, tr *tree, root records.Place, out reading) {
	last := map[records.Place]records.Position{}
	for i, q := range out.queries {
		if before, again := last[q.Place]; again && q.Before.Compare(before) >= 0 {
			t.Fatalf("%s was asked twice", q.Place)
		}
		last[q.Place] = q.Before
		if !root.Covers(q.Place) {
			t.Fatalf("asked %s for %s", q.Place, root)
		}
		index := q.Place.Level() == records.LevelYear || q.Place.Level() == records.LevelMonth
		if roundOne := 4; root.Kind() != records.PlaceThread && i >= roundOne && index && tr.states[q.Place] == nil {
			t.Fatalf("asked the empty %s", q.Place)
		}
	}
}

// Pages follow one another without skipping or repeating a post that was there
// from the start, also while others arrive.
func TestWalk_pages(t *testing.T) {
	eachTimeline(t, func(t *rapid.T, tr *tree, s shape, some []*records.Record) {
		want := rapid.IntRange(1, 20).Draw(t, "want")
		existed := map[records.ItemKey]int{}
		for _, r := range some {
			existed[r.ItemKey()] = 0
		}
		before := records.Newest
		for {
			page := tr.read(s.root, before, records.MillisOf(noon), want).page
			for _, r := range page.Records {
				if s.root.Position(r).Compare(before) >= 0 {
					t.Fatal("not newest first")
				}
				before = s.root.Position(r)
				if _, ok := existed[r.ItemKey()]; ok {
					existed[r.ItemKey()]++
				}
			}
			if !page.More {
				break
			}
			for _, r := range rapid.SliceOfN(rapid.SampledFrom(s.records), 0, 10).Draw(t, "arrive") {
				tr.put(s.root, r)
			}
		}
		for key, times := range existed {
			if times != 1 {
				t.Fatalf("%s was shown %d times", key, times)
			}
		}
	})
}

// Where places fail, every record that the page lacks is in one of its gaps, and
// all gaps overlap the page.
func TestWalk_gaps(t *testing.T) {
	eachTimeline(t, func(t *rapid.T, tr *tree, s shape, some []*records.Record) {
		var held []records.Place
		for p := range tr.contents() {
			held = append(held, p)
		}
		slices.SortFunc(held, func(p, q records.Place) int { return bytes.Compare(p.Bytes(), q.Bytes()) })
		if len(held) == 0 {
			return
		}
		fails := rapid.SliceOfN(rapid.SampledFrom(held), 1, 5).Draw(t, "fails")
		want := rapid.IntRange(1, 30).Draw(t, "want")
		page := tr.read(s.root, records.Newest, records.MillisOf(noon), want, fails...).page
		for _, r := range truth(s.root, some, records.Newest, want) {
			inGap := slices.ContainsFunc(page.Gaps, func(g records.Place) bool { return records.Fits(r, g) == nil })
			current := slices.Contains(page.Records, r)
			if !current && !inGap {
				t.Fatalf("%s is neither in the page nor in a gap of %v", r.ID(), page.Gaps)
			}
		}
		for _, g := range page.Gaps {
			if _, to := g.Span(); page.More && to <= page.Records[want-1].Created() {
				t.Fatalf("the gap %s ends before the page", g)
			}
			if !slices.Contains(fails, g) {
				t.Fatalf("%s answered and is a gap", g)
			}
		}
	})
}

// What expired is passed over, and the page is full all the same.
func TestWalk_expired(t *testing.T) {
	author, now := person(0).User(), records.MillisOf(noon)
	tr := newTree(small(t, 2))
	root := records.UserPlace(author)
	var want []*records.Record
	for i := range records.Millis(30) {
		d := draftPost(t, int(i), now-i*1000, records.PostHead{})
		if i%3 != 0 {
			d.Expires = d.Created + 500
		}
		r := forge(t, testNet, author, d)
		tr.put(root, r)
		if i%3 == 0 {
			want = append(want, r)
		}
	}
	if got := tr.read(root, records.Newest, now, 6).page; !slices.Equal(got.Records, want[:6]) || !got.More {
		t.Errorf("%d records, more %t", len(got.Records), got.More)
	}
	if got := tr.read(root, records.Newest, now-29_000, 50).page; len(got.Records) <= len(want) {
		t.Errorf("%d records before they expire", len(got.Records))
	}
}

// Where a bucket's page shows too little, because what it holds expired or its
// holder cut it short, the walk goes on further back in the same bucket.
func TestWalk_continued(t *testing.T) {
	author, now := person(0).User(), records.MillisOf(noon)
	root := records.UserPlace(author)
	tr := newTree(testNet)
	for i := range records.Millis(60) {
		d := draftPost(t, int(i), now-i*1000, records.PostHead{})
		if i < 50 {
			d.Expires = d.Created + 1
		}
		tr.put(root, forge(t, testNet, author, d))
	}
	if out := tr.read(root, records.Newest, now, 5); len(out.page.Records) != 5 || out.rounds < 3 {
		t.Errorf("behind what expired: %d records in %d rounds", len(out.page.Records), out.rounds)
	}
	w := records.NewWalk(testNet, []records.Place{root}, records.Newest, now-59_000, 60)
	for queries := w.Ask(); len(queries) > 0; queries = w.Ask() {
		for _, q := range queries {
			q.Limit = min(q.Limit, 7)
			w.Answer(tr.bucket(q))
		}
	}
	if page := w.Page(); len(page.Records) != 60 || len(page.Gaps) > 0 {
		t.Errorf("seven at a time: %d records", len(page.Records))
	}
}

// The newest version is shown, wherever older ones are left over.
func TestWalk_newestVersion(t *testing.T) {
	author, now := person(0).User(), records.MillisOf(noon)
	vs := versions(t, author, draftPost(t, 1, now, records.PostHead{}))
	root := records.UserPlace(author)
	month := root.At(records.LevelMonth, vs[0])
	for _, order := range [][]int{{0, 2}, {2, 0}} {
		w := records.NewWalk(testNet, []records.Place{root}, records.Newest, now, 5)
		for _, q := range w.Ask() {
			b := records.Bucket{Place: q.Place}
			switch q.Place {
			case root:
				b.Witnesses = vs[order[0] : order[0]+1]
			case month:
				b.Records = vs[order[1] : order[1]+1]
			default:
			}
			w.Answer(b)
		}
		if page := w.Page(); len(page.Records) != 1 || page.Records[0] != vs[2] {
			t.Errorf("%v", page.Records)
		}
	}
}

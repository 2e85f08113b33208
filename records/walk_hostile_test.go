package records_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

// most is how many questions a walk may ask, whoever answers.
func most(want int) int { return 512 + 4*want }

// Whatever is answered, a walk ends after a bounded number of questions, asks
// about places of its own tree alone, and shows records of that tree, each once,
// newest first; what it said is settled stays.
func TestWalk_lies(t *testing.T) {
	all := timelines(t)
	var anything []*records.Record
	for _, s := range all {
		anything = append(anything, s.records...)
	}
	for _, s := range all {
		n := small(t, 3)
		rapid.Check(t, func(t *rapid.T) {
			before := drawCursor(t, s.root, s.records)
			want := rapid.IntRange(1, 30).Draw(t, "want")
			w := records.NewWalk(n, []records.Place{s.root}, before, records.MillisOf(noon), want)
			source := rapid.SampledFrom([][]*records.Record{s.records, anything}).Draw(t, "source")
			some := func(label string) []*records.Record {
				return rapid.SliceOfN(rapid.SampledFrom(source), 0, 20).Draw(t, label)
			}
			asked := 0
			var settled []records.ItemKey
			for queries := w.Ask(); len(queries) > 0; queries = w.Ask() {
				asked += len(queries)
				for _, q := range queries {
					if !s.root.Covers(q.Place) {
						t.Fatalf("asked %s for %s", q.Place, s.root)
					}
					p := rapid.SampledFrom([]records.Place{q.Place, q.Place, q.Place, s.root, {}}).Draw(t, "answered place")
					w.Answer(records.Bucket{
						Place: p, Records: some("records"), Witnesses: some("witnesses"), Count: -5,
						Full: rapid.Bool().Draw(t, "full"), More: rapid.Bool().Draw(t, "more"),
					})
				}
				now := keysOf(w.Settled())
				if len(now) < len(settled) || !slices.Equal(now[:len(settled)], settled) {
					t.Fatalf("%d records were settled and are %d others now", len(settled), len(now))
				}
				settled = now
			}
			if asked > most(want) {
				t.Fatalf("%d questions", asked)
			}
			checkPage(t, s.root, before, want, w.Page())
		})
	}
}

func keysOf(rs []*records.Record) (keys []records.ItemKey) {
	for _, r := range rs {
		keys = append(keys, r.ItemKey())
	}
	return keys
}

func checkPage(t rapid.TB, root records.Place, before records.Position, want int, page records.Page) {
	t.Helper()
	last := before
	if len(page.Records) > want {
		t.Fatalf("%d records, want %d", len(page.Records), want)
	}
	for _, r := range page.Records {
		if records.Fits(r, root) != nil {
			t.Fatalf("%s does not belong there", r.ID())
		}
		if root.Position(r).Compare(last) >= 0 {
			t.Fatal("not newest first, or not before the cursor")
		}
		last = root.Position(r)
	}
}

// A liar makes up a full bucket with children everywhere, and more of it, for
// every place that is asked about.
type liar struct {
	t       testing.TB
	author  records.User
	expired bool
	made    int
}

func (l *liar) post(created records.Millis) *records.Record {
	l.made++
	d := draftPost(l.t, l.made, created, records.PostHead{Tags: []records.Tag{"go"}})
	if l.expired {
		d.Expires = created + 1
	}
	return forge(l.t, testNet, l.author, d)
}

func (l *liar) bucket(q records.Query) records.Bucket {
	b := records.Bucket{Place: q.Place, Full: true, Count: 64, More: true}
	from, to := q.Place.Span()
	to = min(to, q.Before.Created, records.MillisOf(noon))
	for i := range records.Millis(4) {
		if at := to - 1 - i; at >= from && q.Place.Level() > records.LevelYear && q.Place.Level() <= minute {
			b.Records = append(b.Records, l.post(at))
		}
	}
	for i := range records.Millis(20) {
		if at := from + (to-from)*i/20; at >= from && at < to && q.Place.Level() <= minute {
			b.Witnesses = append(b.Witnesses, l.post(at))
		}
	}
	return b
}

// Buckets made up without end fill the page at once; made up of what expired,
// they never do, and the walk gives up and says so.
func TestWalk_madeUpTree(t *testing.T) {
	for _, expired := range []bool{false, true} {
		l := &liar{t: t, author: person(0).User(), expired: expired}
		root := records.TagPlace("go")
		w := records.NewWalk(testNet, []records.Place{root}, records.Newest, records.MillisOf(noon), 50)
		asked, rounds := 0, 0
		for queries := w.Ask(); len(queries) > 0; queries = w.Ask() {
			rounds++
			asked += len(queries)
			for _, q := range queries {
				w.Answer(l.bucket(q))
			}
		}
		page := w.Page()
		checkPage(t, root, records.Newest, 50, page)
		t.Logf("expired %t: %d rounds, %d questions, %d records, %d gaps", expired, rounds, asked, len(page.Records), len(page.Gaps))
		if asked > most(50) || (len(page.Gaps) > 0) != expired || (len(page.Records) == 50) == expired {
			t.Errorf("expired %t: %d questions, %d records, %d gaps", expired, asked, len(page.Records), len(page.Gaps))
		}
	}
}

// What one holder makes up does not hide what another shows: the union of both
// answers has every record in it.
func TestWalk_honestAnswerPrevails(t *testing.T) {
	now := records.MillisOf(noon)
	s := newStream(t, spaced(now-20*day, now, 400))
	s.until(now)
	l := &liar{t: t, author: person(0).User(), expired: true}
	w := records.NewWalk(testNet, []records.Place{s.root}, records.Newest, now, 50)
	for queries := w.Ask(); len(queries) > 0; queries = w.Ask() {
		for _, q := range queries {
			honest, lie := s.bucket(q), l.bucket(q)
			honest.Witnesses = append(honest.Witnesses, lie.Witnesses...)
			honest.Records = append(honest.Records, lie.Records...)
			w.Answer(honest)
		}
	}
	page := w.Page()
	for i, r := range page.Records {
		if r != s.records[len(s.records)-1-i] {
			t.Fatalf("record %d is another", i)
		}
	}
	if len(page.Records) != 50 {
		t.Errorf("%d records", len(page.Records))
	}
}

// spaced is n times at even distances.
func spaced(from, to records.Millis, n int) (times []records.Millis) {
	for i := range n {
		times = append(times, from+(to-from)*records.Millis(i)/records.Millis(n))
	}
	return times
}

// A place that was asked about and never answered is a gap, and so is one that
// failed; an answer nobody asked for is passed over.
func TestWalk_abandoned(t *testing.T) {
	now := records.MillisOf(noon)
	s := newStream(t, spaced(now-10*day, now, 20))
	s.until(now)
	w := records.NewWalk(testNet, []records.Place{s.root}, records.Newest, now, 50)
	unasked := s.bucket(records.Query{Place: s.root.At(5, s.records[0]), Before: records.Newest, Limit: 50})
	unasked.Records = s.records
	w.Answer(unasked)
	if page := w.Page(); len(page.Records) != 0 || !slices.Equal(page.Gaps, []records.Place{s.root}) {
		t.Errorf("before anything was asked: %+v", page)
	}
	queries := w.Ask()
	for _, q := range queries {
		if q.Place.Level() <= records.LevelYear {
			w.Answer(s.bucket(q))
			w.Answer(unasked)
			w.Fail(q.Place) // too late
		}
	}
	if gaps := w.Page().Gaps; len(gaps) != 2 || gaps[0].Level() != records.LevelMonth {
		t.Errorf("gaps %v, want both months", gaps)
	}
}

// Numbers at their ends: no cursor, time or count makes a walk fail.
func TestWalk_extremes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.SampledFrom([]records.Millis{-1 << 63, -1, 0, 1, 28 * day, records.MillisOf(noon), records.MaxMillis, records.MaxMillis + 1, 1<<63 - 1})
		root := rapid.SampledFrom([]records.Place{records.TagPlace("go"), records.ThreadPlace(records.ItemKey{})}).Draw(t, "root")
		before := records.Position{Created: edge.Draw(t, "before")}
		want := rapid.SampledFrom([]int{-1 << 63, -1, 0, 1, 1 << 40, 1<<63 - 1}).Draw(t, "want")
		w := records.NewWalk(testNet, []records.Place{root}, before, edge.Draw(t, "now"), want)
		created := rapid.SampledFrom([]records.Millis{0, 1, records.MaxMillis}).Draw(t, "created")
		rs := make([]*records.Record, 3)
		for i := range rs {
			r, err := records.Forge(testNet, person(i).User(), records.Draft{
				Head: records.PostHead{Tags: []records.Tag{"go"}}, Created: created, Rev: records.RevAt(created), Body: []byte{},
			})
			if err != nil {
				t.Fatal(err)
			}
			rs[i] = r
		}
		asked := 0
		for queries := w.Ask(); len(queries) > 0; queries = w.Ask() {
			for _, q := range queries {
				asked++
				w.Answer(records.Bucket{Place: q.Place, Records: rs, Witnesses: rs, More: true, Full: true})
			}
			if asked > 10_000 {
				t.Fatal("asks for ever")
			}
		}
		_ = w.Page()
	})
}

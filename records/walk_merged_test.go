package records_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

// A crowd is the timelines of several people in one tree.
type crowd struct {
	*tree
	roots []records.Place
	all   []*records.Record
}

// drawCrowd is people who post anything from nothing to bursts, some of it with
// one hashtag.
func drawCrowd(t *rapid.T, n records.Network, posts [][]*records.Record) crowd {
	c := crowd{tree: newTree(n)}
	for i, rs := range posts {
		root := records.UserPlace(person(i).User())
		c.roots = append(c.roots, root)
		for _, r := range rapid.SliceOfN(rapid.SampledFrom(rs), 0, 40).Draw(t, "posts") {
			c.all = append(c.all, r)
			for _, p := range r.Roots() {
				c.put(p, r)
			}
		}
	}
	if rapid.Bool().Draw(t, "and the tag") {
		c.roots = append(c.roots, records.TagPlace("a"))
	}
	return c
}

func peoplesPosts(t *testing.T) (posts [][]*records.Record) {
	t.Helper()
	now := records.MillisOf(noon)
	for i, width := range []records.Millis{1000 * day, 30 * day, 40_000, 1} {
		var rs []*records.Record
		for k := range 30 {
			head := records.PostHead{}
			if k%3 == 0 {
				head.Tags = []records.Tag{"a"}
			}
			at := now - width*records.Millis(k)/30 - records.Millis(i)
			rs = append(rs, versions(t, person(i).User(), draftPost(t, 100*i+k, at, head))...)
		}
		posts = append(posts, rs)
	}
	return posts
}

// Several timelines read at once are their merge: the newest records of any, each
// once, before one cursor, and whatever the order in which answers come.
func TestWalk_merged(t *testing.T) {
	posts := peoplesPosts(t)
	for _, capacity := range []int{1, 3, 16} {
		n := small(t, capacity)
		rapid.Check(t, func(t *rapid.T) {
			c := drawCrowd(t, n, posts)
			before := drawCursor(t, c.roots[0], c.all)
			want := rapid.IntRange(1, 40).Draw(t, "want")
			page := c.readSettling(t, before, want)
			if got := truth(c.roots[0], c.all, before, want); !slices.Equal(page.Records, got) {
				t.Fatalf("%d records, want %d", len(page.Records), len(got))
			}
			if page.More != (len(page.Records) == want) || len(page.Gaps) > 0 {
				t.Fatalf("more %t, gaps %v", page.More, page.Gaps)
			}
		})
	}
}

// readSettling walks a page with answers in any order, and checks after each that
// what is settled stays, and is the head of the page in the end.
func (c crowd) readSettling(t *rapid.T, before records.Position, want int) records.Page {
	w := records.NewWalk(c.network, c.roots, before, records.MillisOf(noon), want)
	var settled []*records.Record
	for queries := w.Ask(); len(queries) > 0; queries = w.Ask() {
		for _, q := range rapid.Permutation(queries).Draw(t, "order of answers") {
			w.Answer(c.bucket(q))
			now := w.Settled()
			if len(now) < len(settled) || !slices.Equal(now[:len(settled)], settled) {
				t.Fatalf("%d records were settled and are %d others now", len(settled), len(now))
			}
			settled = now
		}
	}
	page := w.Page()
	if !slices.Equal(settled, page.Records) {
		t.Fatalf("%d records are settled, the page has %d", len(settled), len(page.Records))
	}
	return page
}

// Of steady traffic the newest posts are settled before the last round: whoever
// reads sees the first of them early.
func TestWalk_settlesEarly(t *testing.T) {
	tr, author, now := newTree(testNet), person(0).User(), records.MillisOf(noon)
	root := records.UserPlace(author)
	for i := range 60 {
		tr.put(root, forge(t, testNet, author, draftPost(t, i, now-records.Millis(i)*20*day, records.PostHead{})))
	}
	w := records.NewWalk(testNet, []records.Place{root}, records.Newest, now, 50)
	for _, q := range w.Ask() {
		w.Answer(tr.bucket(q))
	}
	if n := len(w.Settled()); n < 1 || n >= 50 {
		t.Errorf("%d of 50 are settled after the first round, want some", n)
	}
}

// A page of many timelines asks for a share of each, and one that gives more than
// its share is asked again.
func TestWalk_mergedShare(t *testing.T) {
	now := records.MillisOf(noon)
	tr := newTree(testNet)
	var roots []records.Place
	for i := range 100 {
		author := person(i).User()
		roots = append(roots, records.UserPlace(author))
		for k := range map[bool]int{true: 50, false: 1}[i == 7] {
			tr.put(roots[i], forge(t, testNet, author, draftPost(t, k, now-records.Millis(k+i)*1000, records.PostHead{})))
		}
	}
	w := records.NewWalk(testNet, roots, records.Newest, now, 50)
	rounds := 0
	for queries := w.Ask(); len(queries) > 0; queries = w.Ask() {
		rounds++
		for _, q := range queries {
			if q.Limit > 16 {
				t.Fatalf("%d records asked of one of a hundred", q.Limit)
			}
			w.Answer(tr.bucket(q))
		}
	}
	if page := w.Page(); len(page.Records) != 50 || rounds > 3 {
		t.Errorf("%d records in %d rounds", len(page.Records), rounds)
	}
}

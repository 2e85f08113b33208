package records_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

// A record fits its roots and one place of each level below them, and nowhere
// else: not where one byte of a place's encoding is another.
func TestFits_exactlyItsPlaces(t *testing.T) {
	all := samples(t)
	var everywhere []records.Place
	for i, s := range all {
		for _, root := range forge(t, testNet, person(0).User(), s.draft).Roots() {
			everywhere = append(everywhere, ladderOf(root, forge(t, testNet, person(0).User(), all[(i+1)%len(all)].draft))...)
		}
	}
	for _, s := range all {
		r := forge(t, testNet, person(0).User(), s.draft)
		places := map[records.Place]bool{}
		var own []records.Place
		for _, root := range r.Roots() {
			for _, p := range ladderOf(root, r) {
				if places[p] {
					t.Fatalf("%s: %s twice", s.name, p)
				}
				places[p] = true
				own = append(own, p)
			}
		}
		for _, p := range append(own, everywhere...) {
			checkFits(t, r, p, places)
		}
		rapid.Check(t, func(t *rapid.T) {
			b := bytes.Clone(rapid.SampledFrom(own).Draw(t, "place").Bytes())
			switch i := rapid.IntRange(0, len(b)-1).Draw(t, "byte"); rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				b[i] = rapid.Byte().Draw(t, "value")
			case 1:
				b[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			default:
				b = append(b[:i], b[i+1:]...)
			}
			if p, err := records.ParsePlace(b); err == nil {
				checkFits(t, r, p, places)
			}
		})
	}
}

func checkFits(t rapid.TB, r *records.Record, p records.Place, places map[records.Place]bool) {
	t.Helper()
	err := records.Fits(r, p)
	if (err == nil) != places[p] {
		t.Fatalf("%s %s in %s: %v", r.Kind(), r.ID(), p, err)
	}
	if err != nil && !errors.Is(err, records.ErrMisplaced) {
		t.Fatalf("%s: %v", p, err)
	}
}

// Nothing fits the place that is none.
func TestFits_noPlace(t *testing.T) {
	for _, s := range samples(t) {
		if err := records.Fits(forge(t, testNet, person(0).User(), s.draft), records.Place{}); err == nil {
			t.Errorf("%s fits", s.name)
		}
	}
}

// Which roots a post has, in the order in which they are reported.
func TestRoots_ofAPost(t *testing.T) {
	author, bob := person(0).User(), person(1).User()
	root := records.Ref{Author: bob, Key: records.ItemKey{1}}
	parent := records.Ref{Author: author, Key: records.ItemKey{2}}
	r := forge(t, testNet, author, draftPost(t, 1, 5, records.PostHead{
		Tags: []records.Tag{"a", "b"}, Mentions: []records.User{bob}, Root: &root, Parent: &parent,
	}))
	want := []records.Place{
		records.UserPlace(author), records.TagPlace("a"), records.TagPlace("b"), records.MentionPlace(bob),
		records.ThreadPlace(root.Key), records.SequelPlace(parent.Key, author),
	}
	got := r.Roots()
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("root %d is %s, want %s", i, got[i], want[i])
		}
	}
}

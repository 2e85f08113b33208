package records_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

// Edits and tombstones are versions of the same thing, each later than the last.
func TestVersions_ofAPost(t *testing.T) {
	author, created := person(0), records.MillisOf(noon)
	v1 := seal(t, testNet, author, samples(t)[2].draft)
	d, err := records.EditPost(v1, created+5, records.PostBody{Text: "edited"})
	if err != nil {
		t.Fatal(err)
	}
	v2 := seal(t, testNet, author, d)
	v3 := seal(t, testNet, author, records.Tombstone(v2, created+5))
	v4 := seal(t, testNet, author, records.Tombstone(v3, created-1000)) // a clock set back
	for i, r := range []*records.Record{v1, v2, v3, v4} {
		if r.ItemKey() != v1.ItemKey() || r.Created() != v1.Created() || r.Ref() != v1.Ref() {
			t.Errorf("version %d is another thing", i+1)
		}
		for _, o := range []*records.Record{v1, v2, v3, v4}[:i] {
			if !r.Wins(o) || o.Wins(r) {
				t.Errorf("version %d does not win over an earlier one", i+1)
			}
		}
		for j, p := range v1.Roots() {
			if r.Roots()[j] != p {
				t.Errorf("version %d belongs elsewhere", i+1)
			}
		}
	}
	if _, body, ok := v3.Post(); !v3.Deleted() || !ok || body.Text != "" || v3.Body() != nil {
		t.Errorf("deleted: %t %t %q", v3.Deleted(), ok, body.Text)
	}
	if v2.Deleted() || v1.Deleted() {
		t.Error("a version with a body is deleted")
	}
}

// An empty text is a post, not a tombstone.
func TestVersions_emptyText(t *testing.T) {
	r := seal(t, testNet, person(0), samples(t)[1].draft)
	opened, err := records.Open(r.Bytes(), testNet, noon)
	if err != nil || opened.Deleted() || opened.Body() == nil {
		t.Errorf("%v, deleted %t, body %v", err, opened.Deleted(), opened.Body())
	}
}

// Only a post can be edited as one.
func TestEditPost_notAPost(t *testing.T) {
	r := seal(t, testNet, person(0), samples(t)[8].draft)
	if _, err := records.EditPost(r, 0, records.PostBody{}); !errors.Is(err, records.ErrMalformed) {
		t.Errorf("%v", err)
	}
	v1 := seal(t, testNet, person(0), samples(t)[0].draft)
	if _, err := records.EditPost(v1, 0, records.PostBody{Text: "\xff"}); !errors.Is(err, records.ErrMalformed) {
		t.Errorf("%v", err)
	}
}

// Nobody can make a version of what is another's: the author is part of the key.
func TestVersions_ofAnother(t *testing.T) {
	for _, s := range samples(t) {
		if s.name == "field of a public soul" {
			continue
		}
		theirs, err := records.Forge(testNet, person(1).User(), s.draft)
		if err != nil {
			continue // another's soul
		}
		if mine := forge(t, testNet, person(0).User(), s.draft); mine.ItemKey() == theirs.ItemKey() {
			t.Errorf("%s: two authors, one key", s.name)
		}
	}
}

// certified seals a draft by a device of person 0.
func certified(t *testing.T, d records.Draft, author, device int, epoch uint64) *records.Record {
	t.Helper()
	cert := records.Certify(testNet, person(author), person(device).User(), epoch)
	r, err := records.Seal(t.Context(), testNet, records.Signer{Key: person(device), Author: person(author).User(), Certificate: &cert}, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A higher epoch wins over a later revision, so a revoked device cannot undo
// what the others say; an author's own key may carry an epoch too.
func TestWins_epochs(t *testing.T) {
	d := samples(t)[0].draft
	later := d
	later.Rev += 1000
	revoked, current, own := certified(t, later, 0, 9, 1), certified(t, d, 0, 8, 2), certified(t, d, 0, 0, 3)
	plain := seal(t, testNet, person(0), later)
	for i, r := range []*records.Record{plain, revoked, current, own} {
		for j, o := range []*records.Record{plain, revoked, current, own} {
			if r.Wins(o) != (i > j) {
				t.Errorf("%d wins over %d: %t", i, j, r.Wins(o))
			}
		}
	}
}

// What has expired is shown no more and keeps its place: nothing older returns.
func TestWins_expired(t *testing.T) {
	created := records.MillisOf(noon)
	for i := range 16 {
		d := records.Draft{Head: records.RegisterHead{Name: "profile"}, Created: created, Salt: salt(i), Rev: records.RevAt(created), Body: []byte("old")}
		older := seal(t, testNet, person(0), d)
		d.Rev, d.Expires, d.Body = d.Rev+1, created+1000, []byte("for a while")
		newer := seal(t, testNet, person(0), d)
		if older.ItemKey() != newer.ItemKey() {
			t.Fatal("two things")
		}
		if older.Wins(newer) || !newer.Wins(older) {
			t.Error("an older version wins over one that expires")
		}
	}
}

// Where several authors make versions of one thing, nobody can own it for ever
// by giving himself the highest epoch.
func TestWins_contested(t *testing.T) {
	d := records.Draft{
		Head: records.GraphHead{Soul: "pub/x", Field: "f"}, Created: records.MillisOf(noon),
		Rev: records.RevAt(records.MillisOf(noon)), Body: []byte{},
	}
	greedy := certified(t, d, 0, 9, math.MaxUint64)
	d.Rev++
	later := seal(t, testNet, person(1), d)
	if greedy.ItemKey() != later.ItemKey() {
		t.Fatal("two things")
	}
	if greedy.Wins(later) || !later.Wins(greedy) {
		t.Error("the higher epoch wins a field of a public soul")
	}
}

// Among versions of one thing, exactly one of two wins, and winning is transitive.
func TestWins_strictTotalOrder(t *testing.T) {
	var versions []*records.Record
	for _, head := range []records.Head{records.PostHead{}, records.GraphHead{Soul: "pub/x", Field: "f"}} {
		versions = versions[:0]
		body := []byte{}
		for rev := range 3 {
			for device := range 3 {
				d := records.Draft{Head: head, Rev: records.RevAt(5) + records.Rev(rev), Body: body}
				versions = append(versions, certified(t, d, 0, 8+device, uint64(device)))
				if _, contested := head.(records.GraphHead); contested {
					versions = append(versions, certified(t, d, 1, 8+device, uint64(7-device)))
				}
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			pick := rapid.SampledFrom(versions)
			a, b, c := pick.Draw(t, "a"), pick.Draw(t, "b"), pick.Draw(t, "c")
			if a.ItemKey() != b.ItemKey() {
				t.Fatal("two things")
			}
			if a.Wins(a) {
				t.Fatal("wins over itself")
			}
			if a.ID() != b.ID() && a.Wins(b) == b.Wins(a) {
				t.Fatal("both or neither win")
			}
			if a.Wins(b) && b.Wins(c) && !a.Wins(c) {
				t.Fatal("not transitive")
			}
		})
	}
}

// A revision is later than the one before it, and as late as now if it can be.
func TestNextRev_monotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prev := records.Rev(rapid.Uint64Max(math.MaxUint64-1).Draw(t, "prev"))
		now := records.Millis(rapid.Int64().Draw(t, "now"))
		next := records.NextRev(prev, now)
		if next <= prev || next < records.RevAt(now) {
			t.Fatalf("after %x at %d comes %x", prev, now, next)
		}
		if next > prev+1 && next != records.RevAt(now) {
			t.Fatalf("after %x at %d comes %x, later than needed", prev, now, next)
		}
	})
	if got := records.NextRev(math.MaxUint64, 0); got != math.MaxUint64 {
		t.Errorf("after the last revision comes %x", got)
	}
}

// Milliseconds and revisions keep their order and their 48 bits.
func TestRev_ofMillis(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := records.Millis(rapid.Int64Range(0, int64(records.MaxMillis)).Draw(t, "m"))
		if got := records.RevAt(m).Millis(); got != m {
			t.Fatalf("%d became %d", m, got)
		}
		if got := records.MillisOf(m.Time()); got != m {
			t.Fatalf("%d became %d through time.Time", m, got)
		}
	})
	if records.RevAt(-1) != 0 || records.RevAt(records.MaxMillis+1).Millis() != records.MaxMillis {
		t.Error("times that cannot be written are not clamped")
	}
}

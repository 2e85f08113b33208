package records_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

// Levels of the two ladders, deepest first.
const (
	deepestTime  = 73 // all time, nine lengths down to the minute, 64 nibbles
	deepestRadix = 64
	minute       = 9
)

// drawRoot is a root of any kind of place.
func drawRoot(t *rapid.T) records.Place {
	u, k := records.User(bytes32(t, "user")), records.ItemKey(bytes32(t, "key"))
	tag := rapid.SampledFrom([]records.Tag{"a", "go", "日本", records.Tag(strings.Repeat("𐐨", 64))}).Draw(t, "tag")
	return rapid.SampledFrom([]records.Place{
		records.UserPlace(u), records.TagPlace(tag), records.MentionPlace(u), records.ThreadPlace(k), records.SequelPlace(k, u),
		records.ReactionsPlace(k), records.FollowersPlace(u), records.RegisterPlace(u, "profile"), records.RegisterPlace(u, "service/a.b"),
		records.NamesPlace(tag), records.GraphPlace("pub/x"), records.GraphPlace(records.Soul("sec/" + u.Multibase() + "/x")),
	}).Draw(t, "root")
}

// drawPost is a post at any time.
func drawPost(t *rapid.T) *records.Record {
	created := drawMillis(t, "created")
	r, err := records.Forge(testNet, records.User(bytes32(t, "author")), records.Draft{
		Head: records.PostHead{}, Created: created, Rev: records.RevAt(created), Body: []byte{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func deepest(p records.Place) int {
	switch {
	case p.Timed():
		return deepestTime
	case p.Kind() == records.PlaceRegister:
		return 0
	default:
		return deepestRadix
	}
}

// ladderOf is the places below root that r would belong to, root first.
func ladderOf(root records.Place, r *records.Record) (ladder []records.Place) {
	for level := 0; level <= deepest(root); level++ {
		ladder = append(ladder, root.At(level, r))
	}
	return ladder
}

// Down the ladder and up again: every place is its child's parent, covers what
// stands below it and nothing above, and has one encoding.
func TestPlace_ladder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root, r := drawRoot(t), drawPost(t)
		ladder := ladderOf(root, r)
		for level, p := range ladder {
			if p.Level() != level || p.Root() != root || p.IsRoot() != (level == 0) {
				t.Fatalf("%s is at level %d, want %d", p, p.Level(), level)
			}
			if got, err := records.ParsePlace(p.Bytes()); err != nil || got != p {
				t.Fatalf("%s became %s, %v", p, got, err)
			}
			if len(p.Bytes()) > records.MaxPlaceBytes {
				t.Fatalf("%s takes %d bytes", p, len(p.Bytes()))
			}
			parent, ok := p.Parent()
			if ok != (level > 0) || (ok && parent != ladder[level-1]) {
				t.Fatalf("above %s is %s", p, parent)
			}
			if child := p.ChildFor(r); child != ladder[min(level+1, len(ladder)-1)] {
				t.Fatalf("below %s is %s", p, child)
			}
			if from, to := p.Span(); r.Created() < from || r.Created() >= to {
				t.Fatalf("%s is from %d to %d, without %d", p, from, to, r.Created())
			}
			for other, q := range ladder {
				if p.Covers(q) != (level <= other) {
					t.Fatalf("%s covers %s: %t", p, q, p.Covers(q))
				}
			}
		}
		if root.At(-1, r) != root || root.At(1000, r) != ladder[len(ladder)-1] {
			t.Fatal("levels beyond the ladder are not clamped")
		}
	})
}

// A place covers another exactly if it is above it, or is it.
func TestPlace_coversItsDescendants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root, other := drawRoot(t), drawRoot(t)
		p := root.At(rapid.IntRange(0, deepestTime).Draw(t, "level p"), drawPost(t))
		q := rapid.SampledFrom([]records.Place{root, other}).Draw(t, "root q").At(rapid.IntRange(0, deepestTime).Draw(t, "level q"), drawPost(t))
		above := false
		for a, ok := q, true; ok; a, ok = a.Parent() {
			above = above || a == p
		}
		if p.Covers(q) != above {
			t.Fatalf("%s covers %s: %t", p, q, p.Covers(q))
		}
	})
}

// Two places are the same exactly if their bytes are.
func TestPlace_bytesUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawPost(t)
		p := drawRoot(t).At(rapid.IntRange(0, deepestTime).Draw(t, "level p"), r)
		q := drawRoot(t).At(rapid.IntRange(0, deepestTime).Draw(t, "level q"), r)
		if (p == q) != bytes.Equal(p.Bytes(), q.Bytes()) || (p == q) != (p.Coordinate() == q.Coordinate()) {
			t.Fatalf("%s and %s: bytes %x and %x", p, q, p.Bytes(), q.Bytes())
		}
	})
}

// Each slot is a whole number of the slots below it, so it lies in one above.
func TestPlace_lengthsDivide(t *testing.T) {
	want := []records.Millis{336 * day, 28 * day, 7 * day, day, day / 4, day / 24, day / 96, day / 288, day / 1440}
	r := forge(t, testNet, person(0).User(), draftPost(t, 0, records.MillisOf(noon), records.PostHead{}))
	var lengths []records.Millis
	for _, p := range ladderOf(records.TagPlace("go"), r)[1 : minute+1] {
		from, to := p.Span()
		if from%(to-from) != 0 {
			t.Errorf("%s is not aligned", p)
		}
		lengths = append(lengths, to-from)
	}
	if !slices.Equal(lengths, want) {
		t.Errorf("lengths %d, want %d", lengths, want)
	}
	for i := range lengths[1:] {
		if lengths[i]%lengths[i+1] != 0 {
			t.Errorf("%d is not a multiple of %d", lengths[i], lengths[i+1])
		}
	}
}

// Roots and years of users, tags and mentions hold witnesses alone, a register
// one record, everything else the network's capacity.
func TestNetwork_capacity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := drawRoot(t)
		for level, p := range ladderOf(root, drawPost(t)) {
			want := 64
			switch p.Kind() {
			case records.PlaceUser, records.PlaceTag, records.PlaceMention:
				if level <= records.LevelYear {
					want = 0
				}
			case records.PlaceRegister:
				want = 1
			default:
			}
			if got := testNet.Capacity(p); got != want {
				t.Fatalf("%s holds %d, want %d", p, got, want)
			}
		}
	})
}

// The first and the last millisecond of every slot, and those next to it.
func TestPlace_slotBoundaries(t *testing.T) {
	root := records.TagPlace("go")
	at := func(level int, created records.Millis) records.Place {
		return root.At(level, forge(t, testNet, person(0).User(), draftPost(t, 0, created, records.PostHead{})))
	}
	for level := 1; level <= minute; level++ {
		p := at(level, records.MillisOf(noon))
		from, to := p.Span()
		if at(level, from) != p || at(level, to-1) != p || at(level, from-1) == p || at(level, to) == p {
			t.Errorf("%s does not end where it says", p)
		}
		if first := at(level, 0); first.Bytes()[len(first.Bytes())-1] != 0 {
			t.Errorf("the first slot is %x", first.Bytes())
		}
		last := at(level, records.MaxMillis)
		if got, err := records.ParsePlace(last.Bytes()); err != nil || got != last {
			t.Errorf("the last slot: %v", err)
		}
	}
}

// A register is found under the keys that any kad-dht client knows.
func TestPlace_registerLocation(t *testing.T) {
	u := person(0).User()
	for name, want := range map[string]string{
		"profile": "/profile/" + u.Multibase(), "identity": "/identity/" + u.Multibase(), "service/relay": "/service/" + u.Multibase() + "/relay",
	} {
		if got := records.RegisterPlace(u, name).Location(); string(got) != want {
			t.Errorf("%s is at %q, want %q", name, got, want)
		}
	}
}

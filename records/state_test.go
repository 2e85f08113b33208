package records_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/pb"
)

// A pool is records that all fit one place: some things, each in a few versions,
// tombstones among them.
type pool struct {
	place   records.Place
	records []*records.Record
}

// pools are places of every shape: with and without room of their own, on both
// ladders, and a register.
func pools(t *testing.T) (ps []pool) {
	author, noonMs := person(0).User(), records.MillisOf(noon)
	month := records.UserPlace(author).At(records.LevelMonth, forge(t, testNet, author, draftPost(t, 0, noonMs, records.PostHead{})))
	monthFrom, _ := month.Span()
	root := records.Ref{Author: person(1).User(), Key: records.ItemKey{1}}
	posts := func(place records.Place, head records.PostHead, from records.Millis, steps ...records.Millis) {
		p := pool{place: place}
		for i := range 14 {
			from += steps[i%len(steps)]
			p.records = append(p.records, versions(t, author, draftPost(t, i, from, head))...)
		}
		ps = append(ps, p)
	}
	posts(records.UserPlace(author), records.PostHead{}, 0, 50*day, 0, 400*day)
	posts(month, records.PostHead{}, monthFrom, day, 0, 1, 3*day)
	posts(records.ThreadPlace(root.Key), records.PostHead{Root: &root, Parent: &root}, noonMs, 0, 1, 30*day)
	instant := draftPost(t, 0, noonMs, records.PostHead{})
	posts(records.UserPlace(author).At(minute, forge(t, testNet, author, instant)), records.PostHead{}, noonMs, 0)
	sets := pool{place: records.FollowersPlace(author)}
	for i := range 14 {
		d := records.Draft{Head: records.FollowHead{Followed: author}, Rev: records.RevAt(1), Body: []byte{}}
		sets.records = append(sets.records, versions(t, person(i).User(), d)...)
	}
	register := records.Draft{Head: records.RegisterHead{Name: "profile"}, Rev: records.RevAt(1), Body: []byte("x")}
	return append(ps, sets, pool{records.RegisterPlace(author, "profile"), versions(t, author, register)})
}

// versions are a draft, an edit of another body and a tombstone.
func versions(t testing.TB, author records.User, d records.Draft) []*records.Record {
	edit, gone := d, d
	edit.Rev, edit.Body = d.Rev+1, []byte("edited")
	if _, ok := d.Head.(records.PostHead); ok {
		edit.Body = mustMarshal(t, &pb.PostBody{Text: "edited"})
	}
	gone.Rev, gone.Body = d.Rev+2, nil
	return []*records.Record{forge(t, testNet, author, d), forge(t, testNet, author, edit), forge(t, testNet, author, gone)}
}

// A content is what a state holds, by its definition.
type content struct {
	bucket, witnesses []*records.Record // ascending
}

// define works out the content of a place that has seen rs, by brute force: the
// winners, the smallest of them, and of the rest the smallest of each child.
func define(n records.Network, p records.Place, rs []*records.Record) (c content) {
	all := winners(p, rs)
	room := min(n.Capacity(p), len(all))
	c.bucket = all[:room]
	children := map[records.Place]bool{}
	for _, r := range all[room:] {
		if child := p.ChildFor(r); !children[child] {
			children[child] = true
			c.witnesses = append(c.witnesses, r)
		}
	}
	return c
}

// winners are the last versions of everything among rs, in the order of p.
func winners(p records.Place, rs []*records.Record) (all []*records.Record) {
	last := map[records.ItemKey]*records.Record{}
	for _, r := range rs {
		if w := last[r.ItemKey()]; w == nil || r.Wins(w) {
			last[r.ItemKey()] = r
		}
	}
	all = slices.Collect(maps.Values(last))
	slices.SortFunc(all, func(a, b *records.Record) int { return p.Position(a).Compare(p.Position(b)) })
	return all
}

func contentOf(s *records.State) content {
	b := s.Bucket(records.Query{Before: records.Newest, Limit: 1000})
	bucket, witnesses := slices.Clone(b.Records), slices.Clone(b.Witnesses)
	slices.Reverse(bucket)
	slices.Reverse(witnesses)
	return content{bucket, witnesses}
}

func (c content) equal(o content) bool {
	return slices.Equal(c.bucket, o.bucket) && slices.Equal(c.witnesses, o.witnesses)
}

func (c content) all() []*records.Record { return slices.Concat(c.bucket, c.witnesses) }

func merged(n records.Network, p records.Place, rs []*records.Record) *records.State {
	s := records.NewState(n, p)
	for _, r := range rs {
		s.Merge(r)
	}
	return s
}

// eachPool checks a property of every pool in networks of several capacities.
func eachPool(t *testing.T, property func(t *rapid.T, n records.Network, p pool)) {
	t.Helper()
	for _, p := range pools(t) {
		for _, capacity := range []int{1, 2, 3, 5, 64} {
			n := small(t, capacity)
			rapid.Check(t, func(t *rapid.T) { property(t, n, p) })
		}
	}
}

func drawSome(t *rapid.T, p pool, label string) []*records.Record {
	return rapid.SliceOfN(rapid.SampledFrom(p.records), 0, 40).Draw(t, label)
}

// A state is what its definition says of the set it has seen, in whatever order.
func TestState_anyOrder(t *testing.T) {
	eachPool(t, func(t *rapid.T, n records.Network, p pool) {
		rs := drawSome(t, p, "records")
		s, want := merged(n, p.place, rs), define(n, p.place, rs)
		if got := contentOf(s); !got.equal(want) {
			t.Fatalf("%s: %v, want %v", p.place, got, want)
		}
		b := s.Bucket(records.Query{Before: records.Newest, Limit: 1000, Print: true})
		var sum records.Fingerprint
		for _, r := range want.all() {
			sum = sum.Plus(records.Element(p.place.Coordinate(), r.ItemKey(), r.ID()))
		}
		room := n.Capacity(p.place)
		if b.Fingerprint != sum || b.Count != len(want.bucket) || b.Full != (len(want.bucket) == room) || len(b.Records) != 0 || b.More {
			t.Fatalf("%s: %+v", p.place, b)
		}
		var bound records.Position
		if room > 0 && len(want.bucket) == room {
			bound = p.place.Position(want.bucket[room-1])
		}
		if s.Bound() != bound {
			t.Fatalf("bound %v, want %v", s.Bound(), bound)
		}
	})
}

// Merging what one state holds into another is the state of all that both have
// seen: so replicas that exchange no more than their states agree, and merging
// is commutative, associative and idempotent.
func TestState_semilattice(t *testing.T) {
	eachPool(t, func(t *rapid.T, n records.Network, p pool) {
		a, b, c := drawSome(t, p, "a"), drawSome(t, p, "b"), drawSome(t, p, "c")
		join := func(xs ...[]*records.Record) []*records.Record {
			var held []*records.Record
			for _, x := range xs {
				held = append(held, contentOf(merged(n, p.place, x)).all()...)
			}
			return contentOf(merged(n, p.place, held)).all()
		}
		union := func(xs ...[]*records.Record) content { return define(n, p.place, slices.Concat(xs...)) }
		for _, step := range []struct {
			name string
			got  []*records.Record
			want content
		}{
			{"join", join(a, b), union(a, b)},
			{"commutative", join(b, a), union(a, b)},
			{"associative", join(join(a, b), c), union(a, b, c)},
			{"associative, the other way", join(a, join(b, c)), union(a, b, c)},
			{"idempotent", join(a, a), union(a)},
		} {
			if !slices.Equal(step.got, step.want.all()) {
				t.Fatalf("%s: %s: %v, want %v", p.place, step.name, step.got, step.want)
			}
		}
	})
}

// An outcome tells its writer the truth: what the bucket holds, what belongs
// below, and every record that a put pushed out of sight.
func TestState_outcomes(t *testing.T) {
	eachPool(t, func(t *rapid.T, n records.Network, p pool) {
		s := records.NewState(n, p.place)
		for _, r := range drawSome(t, p, "records") {
			before := contentOf(s)
			bound := s.Bound()
			out := s.Merge(r)
			after := contentOf(s)
			checkOutcome(t, r, out, before, after)
			if now := s.Bound(); bound != (records.Position{}) && now.Compare(bound) > 0 {
				t.Fatalf("bound moved up from %v to %v", bound, now)
			}
			if (out.Status == records.Below) != (out.Bound == s.Bound() && !holdsKey(after.bucket, r)) {
				t.Fatalf("%s with bound %v, now %v", out.Status, out.Bound, s.Bound())
			}
		}
	})
}

func checkOutcome(t *rapid.T, r *records.Record, out records.Outcome, before, after content) {
	switch out.Status {
	case records.Stored:
		if !slices.Contains(after.bucket, r) || out.Held != nil {
			t.Fatalf("stored, but %v; held %v", after, out.Held)
		}
	case records.Have:
		if !slices.Contains(after.bucket, out.Held) || (out.Held != r && !out.Held.Wins(r)) || !after.equal(before) {
			t.Fatalf("have %v, but %v", out.Held, after)
		}
	case records.Below:
		if holdsKey(after.bucket, r) {
			t.Fatalf("below, but in %v", after.bucket)
		}
		if out.Held != nil && (!slices.Contains(after.witnesses, out.Held) || out.Held.Wins(r) == (out.Held == r)) {
			t.Fatalf("below, held %v, but %v", out.Held, after)
		}
	default:
		t.Fatalf("status %d", out.Status)
	}
	for _, old := range before.all() {
		gone := !slices.Contains(after.all(), old)
		moved := slices.Contains(before.bucket, old) && !slices.Contains(after.bucket, old)
		replaced := old.ItemKey() == r.ItemKey()
		if told := slices.Contains(out.Displaced, old); told != ((gone || moved) && !replaced) {
			t.Fatalf("displaced: %t of %s, which is gone %t, moved %t", told, old.ID(), gone, moved)
		}
	}
}

func holdsKey(rs []*records.Record, r *records.Record) bool {
	return slices.ContainsFunc(rs, func(o *records.Record) bool { return o.ItemKey() == r.ItemKey() })
}

// A bucket is read a page at a time, newest first, without skipping or repeating.
func TestState_pages(t *testing.T) {
	eachPool(t, func(t *rapid.T, n records.Network, p pool) {
		s := merged(n, p.place, drawSome(t, p, "records"))
		want := s.Bucket(records.Query{Before: records.Newest, Limit: 1000})
		if want.More {
			t.Fatal("more than all")
		}
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		var got []*records.Record
		for before := records.Newest; ; {
			b := s.Bucket(records.Query{Before: before, Limit: limit})
			got = append(got, b.Records...)
			if len(b.Records) > limit || b.Count != want.Count || b.Fingerprint != b.Sum() {
				t.Fatalf("page %+v", b)
			}
			if p := s.Bucket(records.Query{Before: before, Limit: limit, Print: true}); p.Fingerprint != b.Fingerprint || len(p.Records)+len(p.Witnesses) > 0 {
				t.Fatalf("fingerprint of the page %+v", p)
			}
			if !b.More {
				break
			}
			before = p.place.Position(b.Records[len(b.Records)-1])
		}
		if !slices.Equal(got, want.Records) {
			t.Fatalf("%v, want %v", got, want.Records)
		}
	})
}

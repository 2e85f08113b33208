package reconcile_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// drawElements are elements that are many things in few places, few things in
// many, and several versions of one thing.
func drawElements(t *rapid.T, label string, most int) []reconcile.Element {
	size := rapid.IntRange(0, most).Draw(t, label)
	spread := rapid.SampledFrom([]int{0, 1, 2, 28, -1}).Draw(t, label+" spread")
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, label+" seed"), 0))
	if spread < 0 {
		return random(r, size)
	}
	out := make([]reconcile.Element, size)
	for i := range out {
		n := r.Uint32N(8000)
		binary.BigEndian.PutUint32(out[i].At[spread:], n>>3<<19)
		binary.BigEndian.PutUint32(out[i].Key[:], n>>1)
		out[i].ID[31] = 1 + byte(n&1) // an id of zeros stands for none
	}
	return out
}

// drawSets are two sets that have much in common, or little.
func drawSets(t *rapid.T) (ours, theirs *memory) {
	most := rapid.SampledFrom([]int{3, 300, 5000}).Draw(t, "most")
	common := drawElements(t, "common", most)
	few := rapid.SampledFrom([]int{0, 3, 1000}).Draw(t, "few")
	return setOf(slices.Concat(common, drawElements(t, "ours", few))), setOf(slices.Concat(common, drawElements(t, "theirs", few)))
}

func drawLimits(t *rapid.T) reconcile.Limits {
	return reconcile.Limits{
		Bytes:  rapid.SampledFrom([]int{0, reconcile.MinBytes, 20 << 10, 256 << 10}).Draw(t, "bytes"),
		Items:  rapid.SampledFrom([]int{1, 100, 1 << 17}).Draw(t, "items"),
		Enough: rapid.SampledFrom([]func() bool{nil, nil, func() bool { return true }}).Draw(t, "enough"),
	}
}

// mustTell checks that differences are those of two sets, each told once.
func mustTell(tb rapid.TB, found []reconcile.Difference, ours, theirs *memory) {
	tb.Helper()
	o, t := sides(found)
	for _, c := range []struct {
		name      string
		got, want []reconcile.Element
	}{{"ours", o, difference(ours, theirs)}, {"theirs", t, difference(theirs, ours)}} {
		slices.SortFunc(c.got, reconcile.Element.Compare)
		if !slices.Equal(c.got, c.want) {
			tb.Fatalf("%s alone: %d elements, want %d", c.name, len(c.got), len(c.want))
		}
	}
}

// Any two sets find out exactly how they differ, within any limits, and no message
// is larger than these allow.
func TestSession_anyTwoSets(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ours, theirs := drawSets(rt)
		l := drawLimits(rt)
		talk := between(t, ours, theirs, l)
		mustTell(rt, talk.found, ours, theirs)
		if talk.largest > max(l.Bytes, reconcile.MinBytes) {
			rt.Fatalf("a message of %d bytes, at most %d", talk.largest, l.Bytes)
		}
	})
}

// A session that is stopped after any message is gone on with by another, from
// where it was, and nothing is missed.
func TestSession_resumes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ours, theirs := drawSets(rt)
		l := drawLimits(rt)
		l.Bytes = reconcile.MinBytes
		stop := rapid.IntRange(1, 4).Draw(rt, "messages of a session")
		found := map[reconcile.Difference]bool{}
		sessions := 0
		for from := reconcile.Start; from != reconcile.End; sessions++ {
			l.Rounds = stop + sessions // each goes further than the one before, however little it got done
			s := reconcile.NewSession(ours, reconcile.Salt{byte(sessions)}, from, reconcile.End, l)
			part, err := converse(s, honest(t, theirs, l), l.Rounds)
			if err != nil {
				rt.Fatal(err)
			}
			for _, d := range part.found {
				found[d] = true
			}
			if s.Rest() < from {
				rt.Fatal("it goes backwards")
			}
			from = s.Rest()
		}
		var all []reconcile.Difference
		for d := range found {
			all = append(all, d)
		}
		mustTell(rt, all, ours, theirs)
	})
}

// Two versions of one thing in one place are one difference with both ids.
func TestSession_versions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, size := range []int{1, 20, 200, 5_000} {
		elements := random(r, size)
		newer := slices.Clone(elements)
		newer[size/2].ID = records.ID{1}
		talk := between(t, setOf(elements), setOf(newer), wide)
		old := elements[size/2]
		want := reconcile.Difference{At: old.At, Key: old.Key, Ours: old.ID, Theirs: records.ID{1}}
		if !slices.Equal(talk.found, []reconcile.Difference{want}) {
			t.Errorf("%d elements: found %+v", size, talk.found)
		}
	}
}

// Where places are full, so that many elements share a coordinate, a difference
// costs no more fingerprints and elements read than anywhere else.
func TestSession_fullPlaces(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 30))
	for _, full := range []int{1, 16, 64, 200, 320} {
		elements := random(r, 20_000)
		for i := range elements {
			elements[i].At = elements[i/full*full].At
		}
		ours, theirs := setOf(elements), setOf(elements[20:])
		talk := between(t, ours, theirs, wide)
		mustTell(t, talk.found, ours, theirs)
		if sums, read := ours.sums+theirs.sums, ours.read+theirs.read; sums > 20*200 || read > 20*600 {
			t.Errorf("%d at a coordinate: %d fingerprints, %d elements for 20 differences", full, sums, read)
		}
	}
}

// Where one side has nothing, the other's elements are told without splitting.
func TestSession_nothingOnOneSide(t *testing.T) {
	full, empty := setOf(random(rand.New(rand.NewPCG(5, 6)), 10_000)), setOf(nil)
	joins := between(t, empty, full, wide)
	mustTell(t, joins.found, empty, full)
	if n := joins.sent + joins.received; n > 10_000*98 {
		t.Errorf("%d bytes to learn of 10,000 elements", n)
	}
	offers := between(t, full, empty, wide)
	mustTell(t, offers.found, full, empty)
	if offers.messages > 1 || offers.told > 5_000 {
		t.Errorf("%d messages to learn that they have nothing, %d elements at a time", offers.messages, offers.told)
	}
}

// Agreement costs one small message each way, whatever the size.
func TestSession_agreement(t *testing.T) {
	elements := random(rand.New(rand.NewPCG(7, 8)), 50_000)
	talk := between(t, setOf(elements), setOf(elements), wide)
	if talk.messages != 1 || talk.sent+talk.received > 256 || len(talk.found) > 0 {
		t.Errorf("%d messages, %d bytes, %d differences", talk.messages, talk.sent+talk.received, len(talk.found))
	}
}

// A session under a prefix tells of what lies there and of nothing else, and the
// one who answers keeps to the prefix too.
func TestSession_underAPrefix(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	elements := random(r, 3_000)
	ours, theirs := setOf(elements[:2_000]), setOf(elements[1_000:])
	for bits := range 12 {
		from, to := reconcile.Under(elements[0].At, bits)
		within := func(m *memory) *memory {
			return setOf(slices.DeleteFunc(slices.Clone(m.elements), func(e reconcile.Element) bool { return e.Before(from) || !e.Before(to) }))
		}
		s := reconcile.NewSession(ours, reconcile.Salt{}, from, to, wide)
		talk, err := converse(s, func(message []byte) []byte {
			answer, err := reconcile.Respond(theirs, from, to, message, wide)
			if err != nil {
				t.Fatal(err)
			}
			return answer
		}, 100)
		if err != nil {
			t.Fatal(err)
		}
		mustTell(t, talk.found, within(ours), within(theirs))
	}
}

// While both sets change with every message, each difference told is one that was
// there at some time, what differed all the time is told, and when the changes end
// the next session tells the rest.
func TestSession_whileSetsChange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ours, theirs := drawSets(rt)
		everOurs, everTheirs := slices.Clone(ours.elements), slices.Clone(theirs.elements)
		alwaysOurs, alwaysTheirs := difference(ours, theirs), difference(theirs, ours)
		s := reconcile.NewSession(ours, reconcile.Salt{}, reconcile.Start, reconcile.End, drawLimits(rt))
		talk, err := converse(s, func(message []byte) []byte {
			answer := honest(t, theirs, wide)(message)
			more := drawElements(rt, "more of ours", 3)
			everOurs = append(everOurs, more...)
			*ours = *setOf(append(ours.elements, more...))
			alwaysTheirs = slices.DeleteFunc(alwaysTheirs, ours.has)
			more = drawElements(rt, "more of theirs", 3)
			everTheirs = append(everTheirs, more...)
			*theirs = *setOf(append(theirs.elements, more...))
			alwaysOurs = slices.DeleteFunc(alwaysOurs, theirs.has)
			return answer
		}, 10_000)
		if err != nil {
			rt.Fatal(err)
		}
		o, th := sides(talk.found)
		for _, c := range []struct {
			name                string
			found, ever, always []reconcile.Element
		}{{"ours", o, everOurs, alwaysOurs}, {"theirs", th, everTheirs, alwaysTheirs}} {
			if n := len(difference(setOf(c.found), setOf(c.ever))); n > 0 {
				rt.Errorf("%s: %d elements told that never were", c.name, n)
			}
			if n := len(difference(setOf(c.always), setOf(c.found))); n > 0 {
				rt.Errorf("%s: %d elements missed that always were", c.name, n)
			}
		}
		mustTell(rt, between(t, ours, theirs, wide).found, ours, theirs)
	})
}

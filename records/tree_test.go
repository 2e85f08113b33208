package records_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

// A tree is every place of some roots on one holder, written to as writers do:
// from the root down, carrying what was displaced.
type tree struct {
	network records.Network
	states  map[records.Place]*records.State
}

func newTree(n records.Network) *tree {
	return &tree{network: n, states: map[records.Place]*records.State{}}
}

func (t *tree) state(p records.Place) *records.State {
	s := t.states[p]
	if s == nil {
		s = records.NewState(t.network, p)
		t.states[p] = s
	}
	return s
}

// put carries r down from p.
func (t *tree) put(p records.Place, r *records.Record) {
	for {
		out := t.state(p).Merge(r)
		for _, d := range out.Displaced {
			t.put(p.ChildFor(d), d)
		}
		if out.Status != records.Below {
			return
		}
		p = p.ChildFor(r)
	}
}

// bucket is the answer of a holder, also of a place of which it has nothing.
func (t *tree) bucket(q records.Query) records.Bucket {
	if s := t.states[q.Place]; s != nil {
		return s.Bucket(q)
	}
	return records.NewState(t.network, q.Place).Bucket(q)
}

// contents are the states of all places that hold anything.
func (t *tree) contents() map[records.Place]content {
	out := map[records.Place]content{}
	for p, s := range t.states {
		if c := contentOf(s); len(c.all()) > 0 {
			out[p] = c
		}
	}
	return out
}

// A shape is records of one root, each version of each thing once.
type shape struct {
	name    string
	root    records.Place
	records []*records.Record
}

// shapes are trees that are sparse, dense, in bursts and deep.
func shapes(t testing.TB) []shape {
	author := person(0).User()
	thread := records.Ref{Author: person(1).User(), Key: records.ItemKey{1}}
	posts := func(name string, root records.Place, head records.PostHead, times []records.Millis) shape {
		s := shape{name: name, root: root}
		for i, at := range times {
			s.records = append(s.records, versions(t, author, draftPost(t, i, at, head))...)
		}
		return s
	}
	rng := rand.New(rand.NewPCG(5, 6))
	now := records.MillisOf(noon)
	spread := func(n int, width records.Millis) (times []records.Millis) {
		for range n {
			times = append(times, now-records.Millis(rng.Int64N(int64(width))))
		}
		return times
	}
	return []shape{
		posts("years", records.UserPlace(author), records.PostHead{}, spread(60, 10*336*day)),
		posts("month", records.TagPlace("a"), records.PostHead{Tags: []records.Tag{"a"}}, spread(80, 28*day)),
		posts("minute", records.MentionPlace(author), records.PostHead{Mentions: []records.User{author}}, spread(80, 50_000)),
		posts("millisecond", records.UserPlace(author), records.PostHead{}, spread(60, 1)),
		posts("bursts", records.ThreadPlace(thread.Key), records.PostHead{Root: &thread, Parent: &thread},
			slices.Concat(spread(30, 5000), spread(20, 400*day), spread(30, 60*day))),
		reactions(t),
	}
}

// reactions are a set without time.
func reactions(t testing.TB) shape {
	target := records.Ref{Author: person(1).User(), Key: records.ItemKey{1}}
	s := shape{name: "reactions", root: records.ReactionsPlace(target.Key)}
	for i := range 60 {
		d := records.Draft{Head: records.ReactionHead{Target: target, Class: 1}, Rev: records.RevAt(1), Body: []byte{}}
		s.records = append(s.records, versions(t, person(i).User(), d)...)
	}
	return s
}

// Whatever the order in which records arrive, and however often, writers who
// follow "below" and carry down what was displaced make the same tree, and in it
// the last version of everything stands in exactly one bucket.
func TestTree_anyOrder(t *testing.T) {
	for _, s := range shapes(t) {
		for _, capacity := range []int{1, 2, 7} {
			n := small(t, capacity)
			rapid.Check(t, func(t *rapid.T) {
				rs := rapid.SliceOfN(rapid.SampledFrom(s.records), 0, 80).Draw(t, "records")
				again := rapid.Permutation(rs).Draw(t, "another order")
				a, b := newTree(n), newTree(n)
				for _, r := range rs {
					a.put(s.root, r)
				}
				for _, r := range append(again, rs[:len(rs)/2]...) {
					b.put(s.root, r)
				}
				if diff := difference(a.contents(), b.contents()); diff != "" {
					t.Fatalf("%s: %s", s.name, diff)
				}
				checkReadable(t, a, s.root, rs)
			})
		}
	}
}

func difference(a, b map[records.Place]content) string {
	for p := range a {
		if !a[p].equal(b[p]) {
			return fmt.Sprintf("%s: %v and %v", p, a[p], b[p])
		}
	}
	if len(a) != len(b) {
		return fmt.Sprintf("%d and %d places", len(a), len(b))
	}
	return ""
}

// checkReadable finds the winner of everything in one bucket of its ladder.
func checkReadable(t *rapid.T, tr *tree, root records.Place, rs []*records.Record) {
	for _, r := range winners(root, rs) {
		found := 0
		for _, p := range ladderOf(root, r) {
			if s := tr.states[p]; s != nil && slices.Contains(contentOf(s).bucket, r) {
				found++
			}
		}
		if found != 1 {
			t.Fatalf("%s stands in %d buckets", r.ID(), found)
		}
	}
}

package node_test

import (
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Half of the members are no majority, whether they stored a record or say that it
// belongs below.
func TestStep_majority(t *testing.T) {
	s := newScribe(t, shallow(t, 4, 3), 1)
	r := s.post(archiveNow, "x", "sky")
	p := records.TagPlace("sky").At(records.LevelMonth, r)
	for members := 1; members < 10; members++ {
		for below := range members + 1 {
			want := p
			if 2*below > members {
				want = p.ChildFor(r)
			}
			if at, done := node.Step(p, r, members, 0, below, 0, 0); at != want || done != (want == p) {
				t.Errorf("%d of %d say below: goes to %s, done %t, want %s", below, members, at, done, want)
			}
			stored := below
			if at, done := node.Step(p, r, members, stored, members-stored, 0, 0); done != (2*stored > members) || !done && at == p {
				t.Errorf("%d of %d stored it, the others say below: at %s, done %t", stored, members, at, done)
			}
		}
	}
}

// Where some of those who were asked turn out to be no members, and fewer are left than a
// neighbourhood has, all of these are not enough: others are looked for, and no further
// than it takes to know that there are none.
func TestStep_thin(t *testing.T) {
	s := newScribe(t, shallow(t, 4, 3), 1)
	r := s.post(archiveNow, "x", "sky")
	p := records.TagPlace("sky").At(records.LevelMonth, r)
	ended := 0
	for again := range 10 {
		at, done := node.StepThin(p, r, 2, again)
		if at != p || again == 0 && done {
			t.Errorf("after %d more rounds: goes to %s, done %t", again, at, done)
		}
		if done {
			ended++
		}
	}
	if ended == 0 {
		t.Error("it is never done")
	}
}

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

package node_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

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

// A majority stored a record, and a majority of the core says that it belongs below: it
// goes on there, and counts as stored where it was when too few store it below.
func TestStep_disputed(t *testing.T) {
	s := newScribe(t, shallow(t, 4, 3), 1)
	r := s.post(archiveNow, "x", "sky")
	p := records.TagPlace("sky").At(records.LevelMonth, r)
	const members, core = 16, 8
	for coreBelow := range core + 1 {
		for stored := range members + 1 {
			wantNext, wantEnd := p, p
			if 2*coreBelow > core {
				wantNext = p.ChildFor(r)
				if 2*stored > members {
					wantEnd = wantNext
				}
			}
			next, end := node.StepDisputed(p, r, members, core, coreBelow, stored)
			if next != wantNext || end != wantEnd {
				t.Errorf("%d of %d of the core say below, %d of %d stored it there: goes to %s and ends at %s, want %s and %s",
					coreBelow, core, stored, members, next, end, wantNext, wantEnd)
			}
		}
	}
}

// Whoever takes a longer prefix for that of a place's neighbourhood asks the core too, as
// long as the prefix leaves as many as a neighbourhood has.
func TestCoreOf_inAllNeighbourhoods(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	for range 200 {
		k := 2 + random.IntN(8)
		c := records.Coordinate{byte(random.Uint32())}
		members := make([]peer.ID, random.IntN(6*k))
		for i := range members {
			members[i] = peer.ID(fmt.Sprint("node ", random.Uint64()))
		}
		core := node.CoreOf(members, c, k)
		if (len(core) >= k) != (len(members) >= k) {
			t.Fatalf("of %d members %d are the core, k %d", len(members), len(core), k)
		}
		for bits := range 32 {
			hood := slices.DeleteFunc(slices.Clone(members), func(m peer.ID) bool { return records.Coordinate(sha256.Sum256([]byte(m))).SharedBits(c) < bits })
			if len(hood) < k {
				break
			}
			for _, m := range core {
				if !slices.Contains(hood, m) {
					t.Fatalf("a neighbourhood of %d bits and %d nodes lacks one of the core", bits, len(hood))
				}
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

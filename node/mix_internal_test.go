package node

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"
)

// Whatever a place's members are: those who are preferred are asked first and in their
// order, the others are the same for a term, and each is asked once.
func TestMix_keepsItsFavourites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, at := newMix(), time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "at"), 0).Truncate(mixTerm)
		members := rapid.Permutation(somebody(rapid.IntRange(0, 60).Draw(t, "members"))).Draw(t, "order")
		was := slices.Clone(members)
		got := m.order(members, at)
		if !slices.Equal(members, was) {
			t.Fatal("what was given has changed")
		}
		if first := min(mixPreferred, len(members)); !slices.Equal(got[:first], members[:first]) {
			t.Fatalf("first are %v, want %v", got[:first], members[:first])
		}
		if again := m.order(members, at.Add(mixTerm-time.Second)); !slices.Equal(again, got) {
			t.Fatalf("within a term first %v, then %v", got, again)
		}
		slices.Sort(got)
		slices.Sort(was)
		if !slices.Equal(got, was) {
			t.Fatalf("not each once: %v of %v", got, was)
		}
	})
}

// A place and the one next to it, which has other members besides, are asked of the same
// nodes as far as they can be.
func TestMix_sameForAllPlaces(t *testing.T) {
	m, now, all := newMix(), time.Unix(0, 0), somebody(60)
	asked := m.order(all, now)[:readFull+readPrint]
	fewer := append(slices.Clone(all[:mixPreferred]), asked[mixPreferred:]...)
	other := slices.IndexFunc(all, func(p peer.ID) bool { return !slices.Contains(asked, p) })
	fewer = append(fewer, all[other])
	if got := m.order(fewer, now)[:readFull+readPrint]; !slices.Equal(got, asked) {
		t.Errorf("got %v, want %v", got, asked)
	}
}

// The favourites of another node, or of another time, are others.
func TestMix_unforeseeable(t *testing.T) {
	all := somebody(60)
	first := newMix()
	was := first.order(all, time.Unix(0, 0))
	for i := range 1000 {
		if slices.Equal(newMix().order(all, time.Unix(0, 0)), was) {
			t.Fatal("another node has the same")
		}
		if slices.Equal(first.order(all, time.Unix(0, 0).Add(time.Duration(i+1)*mixTerm)), was) {
			t.Fatalf("the same %d terms later", i+1)
		}
	}
}

func somebody(n int) (out []peer.ID) {
	for i := range n {
		out = append(out, peer.ID(fmt.Sprintf("member %02d", i)))
	}
	return out
}

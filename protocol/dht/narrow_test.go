package dht_test

import (
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

// A node without room holds less, knows the same neighbours, and is to them what it
// was: nobody's prefix depends on it.
func TestNarrow_leavesTheRest(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		first := n.grow(16)
		n.eventually(time.Minute, n.settled)
		prefixes := func() (out []int) {
			for _, node := range n.servers() {
				if node != first {
					out = append(out, node.Prefix())
				}
			}
			return out
		}
		was, others, members := first.Prefix(), prefixes(), first.Status().Members
		other := first.at // in the half that it lets go of
		other[was/8] ^= 0x80 >> (was % 8)
		first.Narrow(1)
		select {
		case <-first.Changed():
		default:
			t.Error("nobody is told")
		}
		check := func(bits int) {
			t.Helper()
			s := first.Status()
			if s.Prefix != was+bits || first.Prefix() != s.Prefix || s.Narrowed != bits || s.Members != members || len(first.Neighbours()) != members-1 {
				t.Errorf("prefix %d, narrowed by %d, %d members, want %d, %d and %d", s.Prefix, s.Narrowed, s.Members, was+bits, bits, members)
			}
			if first.Holds(other) != (bits == 0) || !first.Holds(first.at) || !first.Surrounds(other) {
				t.Errorf("narrowed by %d: holds %t and %t, surrounded %t", bits, first.Holds(other), first.Holds(first.at), first.Surrounds(other))
			}
			if now := prefixes(); !slices.Equal(now, others) {
				t.Errorf("the others' prefixes are %d, were %d", now, others)
			}
		}
		check(1)
		pass(10 * time.Minute) // several rounds
		check(1)
		hood, err := first.Members(t.Context(), other)
		if err != nil || hood.Bits != was || len(hood.Peers) < 4 {
			t.Errorf("of what it let go of it finds %d members of %d bits, %v", len(hood.Peers), hood.Bits, err)
		}
		first.Narrow(0)
		check(0)
	})
}

package node

import (
	"fmt"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// What is others' to hold now is dropped only when most of them, and as many as make a
// neighbourhood, have shown that they hold all of it; and not while something waits
// here to be carried down.
func TestHeldThere(t *testing.T) {
	network, err := records.NewNetwork("shed", records.Params{Neighbourhood: 4, Capacity: 1})
	if err != nil {
		t.Fatal(err)
	}
	put := postOf(t, network, 0)
	own := records.Bucket{Place: put.Place, Records: []*records.Record{put.Record}, Count: 1}
	own.Fingerprint = own.Sum()
	waiting := own
	for i := range 2 { // of one child, so that one of them is no witness
		r := postOf(t, network, i+1).Record
		waiting.Witnesses = append(waiting.Witnesses, r)
		waiting.Place = put.Place.Root()
	}
	more := own // is what the others hold in the last two cases
	more.Records = append(slices.Clone(own.Records), postOf(t, network, 3).Record)
	more.Fingerprint = more.Sum()
	foreign := own
	foreign.Records = []*records.Record{postOf(t, network, 4).Record}
	foreign.Fingerprint = foreign.Sum()
	n := &Node{config: Config{Network: network}}
	for _, c := range []struct {
		name                         string
		members, shown, claim, other int // who show it, claim its fingerprint, hold something else
		own                          records.Bucket
		narrowed                     bool
		want                         bool
		theirs                       *records.Bucket // nil for the same as ours
	}{
		{"nobody said anything", 4, 0, 0, 0, own, false, false, nil},
		{"no members", 0, 0, 0, 0, own, false, false, nil},
		{"all show it", 4, 4, 0, 0, own, false, true, nil},
		{"all claim it", 4, 0, 4, 0, own, false, true, nil},
		{"one lacks it", 4, 3, 0, 1, own, false, false, nil},
		{"half of many", 8, 2, 2, 4, own, false, false, nil},
		{"most of many", 9, 3, 2, 4, own, false, true, nil},
		{"there are only two", 2, 1, 1, 0, own, false, true, nil},
		{"only one of two", 2, 1, 0, 1, own, false, false, nil},
		{"there are only two, and they are our neighbours", 2, 1, 1, 0, own, true, false, nil},
		{"a neighbourhood of our neighbours", 5, 2, 2, 1, own, true, true, nil},
		{"something waits here", 4, 4, 0, 0, waiting, false, false, nil},
		{"who claims what others show besides", 4, 1, 3, 0, own, false, true, &more},
		{"who claims what others show instead", 4, 1, 3, 0, foreign, false, false, &more},
	} {
		r := newReading(records.Query{Place: c.own.Place}, nil, nil)
		theirs := c.own
		if c.theirs != nil {
			theirs = *c.theirs
		}
		for i := range c.members {
			id := peer.ID(fmt.Sprint(i))
			r.members = append(r.members, id)
			switch {
			case i < c.shown:
				r.full[id] = theirs
			case i < c.shown+c.claim:
				r.prints[id] = records.Bucket{Fingerprint: theirs.Fingerprint}
			case i < c.shown+c.claim+c.other:
				r.full[id] = records.Bucket{Place: c.own.Place}
			}
		}
		if got := n.heldThere(r, c.own, c.narrowed); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

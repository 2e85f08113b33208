package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// ladder is a post and the places of its hashtag that it could stand in, from the
// root down to the week.
func ladder(t *testing.T) []records.Place {
	t.Helper()
	network, err := records.TestNetwork("copies")
	if err != nil {
		t.Fatal(err)
	}
	d, err := records.NewPost(1_700_000_000_000, [8]byte{}, records.PostHead{Tags: []records.Tag{"sky"}}, records.PostBody{Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := records.Seal(context.Background(), network, records.AuthorSigner(records.KeyFromSeed([32]byte{1})), d)
	if err != nil {
		t.Fatal(err)
	}
	root := records.TagPlace("sky")
	return []records.Place{root, root.At(1, r), root.At(2, r), root.At(3, r)}
}

// A copy is fresh once it and all above were compared while the tree is heard, and
// for some minutes; every doubt ends that until the next comparison.
func TestCopies_fresh(t *testing.T) {
	at, start := ladder(t), time.Unix(1_700_000_000, 0)
	week := at[3]
	compared := func() node.Copies {
		c := node.NewCopies()
		c.Follow(at[0])
		c.Heard(at[0], start)
		for _, p := range at {
			c.Compare(p, start.Add(time.Second))
		}
		return c
	}
	for name, x := range map[string]struct {
		change func(c node.Copies)
		at     time.Duration // after the comparison
		fresh  bool
	}{
		"compared":             {func(node.Copies) {}, time.Minute, true},
		"long ago":             {func(node.Copies) {}, 5 * time.Minute, false},
		"parent long ago":      {func(c node.Copies) { c.Compare(week, start.Add(5*time.Minute)) }, 6 * time.Minute, true},
		"an older comparison":  {func(c node.Copies) { c.Compare(week, start.Add(-time.Hour)) }, time.Minute, true},
		"not heard":            {func(c node.Copies) { c.Broken(at[0]) }, time.Minute, false},
		"heard again":          {func(c node.Copies) { c.Broken(at[0]); c.Heard(at[0], start.Add(time.Minute)) }, time.Minute, false},
		"spoilt":               {func(c node.Copies) { c.Spoil(week) }, time.Minute, false},
		"spoilt above":         {func(c node.Copies) { c.Spoil(at[1]) }, time.Minute, false},
		"not followed":         {func(c node.Copies) { c.Unfollow(at[0]) }, time.Minute, false},
		"followed anew":        {func(c node.Copies) { c.Unfollow(at[0]); c.Follow(at[0]); c.Heard(at[0], start) }, time.Minute, false},
		"followed twice":       {func(c node.Copies) { c.Follow(at[0]) }, time.Minute, true},
		"asked before hearing": {func(c node.Copies) { c.Heard(at[0], start.Add(2*time.Second)) }, time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := compared()
			x.change(c)
			now := start.Add(time.Second + x.at)
			if got := c.Fresh(week, now); got != x.fresh {
				t.Errorf("fresh is %t, want %t", got, x.fresh)
			}
			if !c.Doubted(week, now) {
				t.Error("fresh for one who doubts")
			}
			if c.Keeps(records.TagPlace("sea")) || c.Keeps(week) == (name == "not followed") {
				t.Error("keeps what is not followed, or not what is")
			}
		})
	}
}

// What is known of copies is bounded, and forgetting is doubting.
func TestCopies_bounded(t *testing.T) {
	at, start := ladder(t), time.Unix(1_700_000_000, 0)
	c := node.NewCopies()
	c.Follow(at[0])
	c.Heard(at[0], start)
	for _, p := range at {
		c.Compare(p, start)
	}
	for i := range 1 << 15 {
		other := records.ThreadPlace(records.ItemKey{byte(i), byte(i >> 8)})
		c.Follow(other)
		c.Compare(other, start)
	}
	if c.Fresh(at[0], start) {
		t.Error("fresh, although it was forgotten")
	}
}

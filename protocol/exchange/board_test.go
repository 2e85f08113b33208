package exchange_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// listener is a follower in a test of the board, and what it heard of each root.
type listener struct {
	*exchange.BoardFollower
	marks []exchange.Mark // to resume from
	heard []int           // arrivals up to here were heard, or said to be missed
	known []bool          // whether heard means anything yet
}

// However arrivals, slow reading, leaving and coming back are mixed: what a
// follower hears of a root is what arrived there, in order, without a hole or a
// repetition, except where it is told of a gap.
func TestBoard_neverSkipsSilently(t *testing.T) {
	roots := []records.Place{records.TagPlace("a"), records.TagPlace("b"), records.TagPlace("c")}
	all := posts(t, 1, 2000)
	rapid.Check(t, func(t *rapid.T) {
		b := exchange.NewBoard()
		arrived := make([][]*records.Record, len(roots)) // since the board began
		index := map[records.Place]int{}
		for i, r := range roots {
			index[r] = i
		}
		var listeners []*listener
		next := 0
		arrive := func(t *rapid.T) {
			root := rapid.IntRange(0, len(roots)-1).Draw(t, "root")
			n := rapid.SampledFrom([]int{1, 1, 2, 10, 100, protocol.MaxArrivals + 1}).Draw(t, "arrivals")
			for range min(n, len(all)-next) {
				b.Arrive(roots[root], all[next])
				b.Arrive(roots[root], all[next]) // a second time is no news
				if followed(listeners) {
					arrived[root] = append(arrived[root], all[next])
				}
				next++
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"arrive": arrive,
			"join": func(t *rapid.T) {
				l := &listener{heard: make([]int, len(roots)), known: make([]bool, len(roots))}
				for _, r := range roots {
					l.marks = append(l.marks, exchange.Mark{Root: r})
				}
				l.BoardFollower = b.Follow(l.marks...)
				listeners = append(listeners, l)
			},
			"hear": func(t *rapid.T) {
				if len(listeners) > 0 {
					l := rapid.SampledFrom(listeners).Draw(t, "listener")
					l.hear(t, index, arrived, rapid.SampledFrom([]int{1, 1000, 1 << 20}).Draw(t, "bytes"))
				}
			},
			"leave and come back": func(t *rapid.T) {
				if len(listeners) > 0 {
					l := rapid.SampledFrom(listeners).Draw(t, "listener")
					l.Unfollow()
					arrive(t)
					l.BoardFollower = b.Follow(l.marks...)
				}
			},
			"": func(t *rapid.T) {
				if n, _, _ := b.Sizes(); n > len(roots)*protocol.MaxArrivals {
					t.Fatalf("%d arrivals are remembered", n)
				}
			},
		})
		for _, l := range listeners {
			l.hear(t, index, arrived, 1<<30)
			for i := range roots {
				if l.heard[i] != len(arrived[i]) {
					t.Fatalf("heard %d of %d at root %d in the end", l.heard[i], len(arrived[i]), i)
				}
			}
		}
	})
}

// followed tells whether anybody has followed; before, a board remembers nothing.
func followed(listeners []*listener) bool { return len(listeners) > 0 }

func (l *listener) hear(t *rapid.T, index map[records.Place]int, arrived [][]*records.Record, bytes int) {
	for _, a := range l.Next(bytes) {
		i := index[a.Mark.Root]
		l.marks[i] = a.Mark
		at := int(a.Mark.Sequence)
		switch {
		case a.Record != nil:
			if l.heard[i]++; !l.known[i] || at != l.heard[i] || arrived[i][at-1] != a.Record {
				t.Fatalf("arrival %d at root %d after %d", at, i, l.heard[i]-1)
			}
		case a.Gap:
			if at <= l.heard[i] && l.known[i] {
				t.Fatalf("gap up to %d at root %d after %d", at, i, l.heard[i])
			}
			l.heard[i] = at
		default:
			if l.known[i] && at != l.heard[i] {
				t.Fatalf("mark at %d at root %d after %d", at, i, l.heard[i])
			}
			l.heard[i], l.known[i] = at, true
		}
	}
}

// A mark of another board, or from beyond what has arrived, is a gap.
func TestBoard_foreignMarks(t *testing.T) {
	root := records.TagPlace("a")
	b := exchange.NewBoard()
	f := b.Follow(exchange.Mark{Root: root})
	b.Arrive(root, post(t, 1, 1))
	heard := f.Next(1 << 20)
	last := heard[len(heard)-1].Mark
	for _, c := range []struct {
		name string
		from exchange.Mark
		gap  bool
	}{
		{"now", exchange.Mark{Root: root}, false},
		{"the last", last, false},
		{"another epoch", exchange.Mark{Root: root, Epoch: last.Epoch + 2, Sequence: 1}, true},
		{"beyond the last", exchange.Mark{Root: root, Epoch: last.Epoch, Sequence: 2}, true},
		{"the greatest", exchange.Mark{Root: root, Epoch: last.Epoch, Sequence: 1<<64 - 1}, true},
	} {
		got := b.Follow(c.from).Next(1 << 20)
		if len(got) != 1 || got[0].Record != nil || got[0].Gap != c.gap || got[0].Mark != last {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// What a board remembers is bounded in bytes over all roots, and in roots that
// nobody follows; the oldest goes first.
func TestBoard_bounded(t *testing.T) {
	b := exchange.NewBoard()
	large := largePosts(t, 1, 200)
	var followers []*exchange.BoardFollower
	for i := range 100 {
		root := records.UserPlace(person(i).User())
		followers = append(followers, b.Follow(exchange.Mark{Root: root}))
		for _, r := range large {
			b.Arrive(root, r)
		}
	}
	n, bytes, _ := b.Sizes()
	if bytes > protocol.MaxArrivalBytes || n != bytes/len(large[0].Bytes()) {
		t.Errorf("%d arrivals of %d bytes", n, bytes)
	}
	gaps := 0
	for _, f := range followers {
		for _, a := range f.Next(1 << 30) {
			if a.Gap {
				gaps++
			}
		}
		f.Unfollow()
	}
	if gaps == 0 || gaps == 100 {
		t.Errorf("%d of 100 followers were told of a gap", gaps)
	}
	for i := range 10_000 {
		b.Follow(exchange.Mark{Root: records.UserPlace(person(1000 + i).User())}).Unfollow()
	}
	if n, bytes, roots := b.Sizes(); n != 0 || bytes != 0 || roots > 4096 {
		t.Errorf("%d arrivals of %d bytes at %d roots are remembered for nobody", n, bytes, roots)
	}
}

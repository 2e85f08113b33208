package node

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
)

func TestFit_table(t *testing.T) {
	const ever = time.Duration(math.MaxInt64)
	short := func(bytes int64) datastore.Room { return datastore.Room{Bytes: -bytes, Short: true} }
	left := func(bytes int64) datastore.Room { return datastore.Room{Bytes: bytes} }
	for _, c := range []struct {
		name string
		fit  fit
		want int
	}{
		{"there is room", fit{0, left(100), 50, 20, 16, true, ever}, 0},
		{"a little too much is no reason", fit{0, left(-3), 50, 20, 16, true, ever}, 0},
		{"too much", fit{0, short(10), 100, 20, 16, true, ever}, 1},
		{"too much for half", fit{1, short(10), 100, 20, 16, true, ever}, 2},
		{"too much a moment after it took half", fit{1, short(10), 100, 20, 16, true, narrowAfter - 1}, 1},
		{"too much, of which some is others' already", fit{1, short(10), 100, 20, 16, false, ever}, 1},
		{"too much, and too few others", fit{0, short(10), 100, 15, 16, true, ever}, 0},
		{"it is not what is held for others", fit{0, short(200), 100, 20, 16, true, ever}, 0},
		{"it holds next to nothing", fit{narrowMost, short(10), 100, 20, 16, true, ever}, narrowMost},
		{"room for twice as much and more", fit{1, left(150), 100, 20, 16, true, ever}, 0},
		{"so soon after", fit{1, left(150), 100, 20, 16, true, widenAfter - 1}, 1},
		{"just room for twice as much", fit{1, left(149), 100, 20, 16, true, ever}, 1},
		{"the others are gone", fit{3, short(10), 100, 15, 16, true, ever}, 0},
	} {
		if got := c.fit.next(); got != c.want {
			t.Errorf("%s: %d bits, want %d", c.name, got, c.want)
		}
	}
}

// Whatever a neighbourhood holds and whatever there is room for, a node comes to rest:
// with a share that fits, unless even the smallest does not, and not with a half or less
// of what would.
func TestFit_comesToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Int64Range(1<<12, 1<<40).Draw(t, "held by each neighbour")
		quota := rapid.Int64Range(1<<12, 1<<40).Draw(t, "quota")
		f := fit{narrowed: rapid.IntRange(0, narrowMost).Draw(t, "narrowed"), others: 16, least: 16, settled: true, since: widenAfter}
		calm := 0
		for range 4 * narrowMost {
			f.held = whole >> f.narrowed
			f.room = datastore.Room{Bytes: quota*9/10 - f.held, Short: float64(f.held) >= .95*float64(quota)}
			next := f.next()
			if calm++; next != f.narrowed {
				calm = 0
			}
			f.narrowed = next
		}
		if calm < 2*narrowMost {
			t.Fatalf("it still changes: %d bits", f.narrowed)
		}
		if f.room.Short && f.narrowed < narrowMost {
			t.Errorf("%d bytes of %d fit, and %d bits are all it takes", f.held, quota, f.narrowed)
		}
		if f.narrowed > 0 && 4*f.held < quota && f.held > 1 {
			t.Errorf("%d bytes with %d bits, of %d", f.held, f.narrowed, quota)
		}
	})
}

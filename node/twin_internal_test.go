package node

import "testing"

// One liar makes nobody believe that he has a twin, unless he is all the others there are.
func TestTwinned(t *testing.T) {
	for _, c := range []struct {
		told, peers int
		want        bool
	}{
		{0, 0, false},
		{0, 1, false},
		{0, 40, false},
		{1, 0, true},
		{1, 1, true},
		{1, 2, false},
		{1, 40, false},
		{2, 2, true},
		{2, 40, true},
		{30, 40, true},
	} {
		if got := twinned(c.told, c.peers); got != c.want {
			t.Errorf("%d of %d told: %t, want %t", c.told, c.peers, got, c.want)
		}
	}
}

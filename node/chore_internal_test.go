package node

import "testing"

// A chore is due once for each time that the region became smaller, also when it was
// larger only between two looks.
func TestChore_due(t *testing.T) {
	var c chore
	for i, step := range []struct {
		seen []int // bits between two looks
		bits int
		due  bool
	}{
		{nil, 0, false},
		{nil, 2, true},
		{nil, 2, true}, // as long as it is not done
		{nil, 3, true},
		{nil, 1, true}, // smaller than the whole ring, and never done
		{[]int{1}, 1, false},
		{nil, 2, true},
		{[]int{2, 1}, 2, true},
	} {
		for _, bits := range step.seen {
			c.done(step.bits)
			c.grown(bits)
		}
		if got := c.due(step.bits); got != step.due {
			t.Errorf("step %d: due is %t", i, got)
		}
	}
	c.done(2)
	if c.due(2) {
		t.Error("it is due although it is done")
	}
}

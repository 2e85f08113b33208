package node

import (
	"testing"
	"time"
)

// The fewer connections a node may have, the sooner it closes new ones; never later
// than libp2p would.
func TestGraceOf_cases(t *testing.T) {
	for connections, want := range map[int]time.Duration{
		1: 250 * time.Millisecond, 72: 18 * time.Second, 224: 56 * time.Second, 240: time.Minute, 600: time.Minute,
	} {
		if got := graceOf(connections); got != want {
			t.Errorf("%d connections: %s, want %s", connections, got, want)
		}
	}
}

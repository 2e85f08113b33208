package dht_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol/dht"
)

// The numbers of RFC 6298, section 2, worked out by hand.
func TestRTT_rfc6298(t *testing.T) {
	t.Parallel()
	var r dht.RTT
	if got := r.Patience(); got != dht.FirstPatience {
		t.Errorf("patience with a stranger is %s, want %s", got, dht.FirstPatience)
	}
	for _, c := range []struct{ took, patience time.Duration }{
		{400 * time.Millisecond, 1200 * time.Millisecond}, // 400 + 4 x 200
		{400 * time.Millisecond, 1000 * time.Millisecond}, // 400 + 4 x 150
		{800 * time.Millisecond, 1300 * time.Millisecond}, // 450 + 4 x 212.5
	} {
		r = r.With(c.took)
		if got := r.Patience(); got != c.patience {
			t.Errorf("after %s: patience %s, want %s", c.took, got, c.patience)
		}
	}
}

// Patience keeps its bounds, covers what is steady, and follows a node that becomes
// slower or faster.
func TestRTT_properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r dht.RTT
		for _, ms := range rapid.SliceOfN(rapid.IntRange(0, 3000), 0, 50).Draw(t, "before") {
			r = r.With(time.Duration(ms) * time.Millisecond)
			if p := r.Patience(); p < dht.LeastPatience || p > dht.AskTimeout {
				t.Fatalf("patience %s", p)
			}
		}
		steady := time.Duration(rapid.IntRange(1, 2500).Draw(t, "steady")) * time.Millisecond
		for range 60 {
			r = r.With(steady)
		}
		want := max(steady, dht.LeastPatience)
		if p := r.Patience(); p < steady || p > want+want/4 {
			t.Fatalf("patience %s for a steady %s", p, steady)
		}
	})
}

// Strangers are judged by all others, those to dial by those that were dialled, and
// whom we know by itself; memory is bounded.
func TestTimings_byWhatIsKnown(t *testing.T) {
	t.Parallel()
	timings := dht.NewTimings()
	if timings.Expected("x", true) != 0 || timings.Patience("x", false) != dht.FirstPatience {
		t.Error("something is expected of strangers although nothing was measured")
	}
	for range 40 {
		timings.Took("fast", true, 300*time.Millisecond)
		timings.Took("dialled", false, 900*time.Millisecond)
	}
	for _, c := range []struct {
		name      string
		connected bool
		want      time.Duration
	}{
		{"fast", true, 300 * time.Millisecond},
		{"stranger", true, 300 * time.Millisecond},
		{"stranger", false, 900 * time.Millisecond},
		{"fast", false, 900 * time.Millisecond},
	} {
		got := timings.Patience(peer.ID(c.name), c.connected).Round(10 * time.Millisecond)
		if got != c.want {
			t.Errorf("%s, connected %v: patience %s, want %s", c.name, c.connected, got, c.want)
		}
		if got := timings.Expected(peer.ID(c.name), c.connected).Round(10 * time.Millisecond); got != c.want {
			t.Errorf("%s, connected %v: expected %s, want %s", c.name, c.connected, got, c.want)
		}
	}
	for i := range 10_000 {
		timings.Took(numbered(i), true, time.Millisecond)
	}
	if n := timings.Remembered(); n > 4096 {
		t.Errorf("remembers %d nodes", n)
	}
}

package node

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// Leases go on over a restart. What a region left while the node was away is given to
// others then; what was outside of it before was given before.
func TestLeases_restart(t *testing.T) {
	network, err := records.TestNetwork("leases")
	if err != nil {
		t.Fatal(err)
	}
	s := datastore.OpenMemoryWith(datastore.Config{Network: network})
	defer s.Close()
	began := time.Now()
	run := func(now time.Time, bits int) *Node {
		n := &Node{
			config: Config{Now: func() time.Time { return now }}, store: s, healer: newHealer(true),
			log: slog.New(slog.DiscardHandler), voices: newVoices(slog.New(slog.DiscardHandler)),
		}
		if err := n.resumeLeases(); err != nil {
			t.Fatal(err)
		}
		n.healer.start(bits, now)
		n.keepLeases(t.Context())
		return n
	}
	if _, due := run(began, 2).healer.untold(2); due {
		t.Error("a first run gives others what it never took in for them")
	}
	later := began.Add(time.Hour)
	n := run(later, 4)
	if got, want := n.healer.left(), []time.Time{began, began, later, later}; !slices.EqualFunc(got, want, time.Time.Equal) {
		t.Errorf("left at %v, want %v", got, want)
	}
	if was, due := n.healer.untold(4); !due || was != 2 {
		t.Errorf("others are given what lies outside of %d bits: %t", was, due)
	}
	if err := s.Datastore().Put(t.Context(), leasesKey, []byte("[")); err != nil {
		t.Fatal(err)
	}
	if got := run(later, 1).healer.left(); len(got) != 1 || !got[0].Equal(later) {
		t.Errorf("damaged leases do not begin anew: %v", got)
	}
}

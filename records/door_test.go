package records_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

// What comes again is the same record, and is not verified again.
func TestDoor_remembers(t *testing.T) {
	door := records.NewDoor(testNet, 8)
	b := seal(t, testNet, person(0), samples(t)[0].draft).Bytes()
	first, err := door.Open(b, noon)
	if err != nil {
		t.Fatal(err)
	}
	again, err := door.Open(bytes.Clone(b), noon)
	if err != nil || again != first {
		t.Errorf("again: %p, %v; want %p", again, err, first)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = door.Open(b, noon) }); n > 0 {
		t.Errorf("%v allocations for what is known", n)
	}
}

// What is known is still refused while it lies in the future.
func TestDoor_rechecksClock(t *testing.T) {
	door := records.NewDoor(testNet, 8)
	b := seal(t, testNet, person(0), samples(t)[0].draft).Bytes()
	if _, err := door.Open(b, noon); err != nil {
		t.Fatal(err)
	}
	early := noon.Add(-records.MaxAhead - time.Millisecond)
	if _, err := door.Open(b, early); !errors.Is(err, records.ErrFuture) {
		t.Errorf("by a clock that runs behind: %v", err)
	}
	if _, err := door.Open(b, early.Add(time.Millisecond)); err != nil {
		t.Errorf("a millisecond later: %v", err)
	}
}

// A door remembers no more than it was told to, and nothing that was refused.
func TestDoor_bounded(t *testing.T) {
	const size = 4
	door := records.NewDoor(testNet, size)
	var all [][]byte
	first := map[int]*records.Record{}
	for i := range 3 * size {
		b := seal(t, testNet, person(0), draftPost(t, i, records.MillisOf(noon), records.PostHead{})).Bytes()
		r, err := door.Open(b, noon)
		if err != nil {
			t.Fatal(err)
		}
		all, first[i] = append(all, b), r
		bad := bytes.Clone(b)
		bad[len(bad)-1] ^= 1
		for range 2 {
			if _, err := door.Open(bad, noon); !errors.Is(err, records.ErrSignature) {
				t.Fatalf("damaged: %v", err)
			}
		}
	}
	remembered := 0
	for i, b := range slices.Backward(all) {
		r, err := door.Open(b, noon)
		if err != nil {
			t.Fatal(err)
		}
		if r == first[i] {
			remembered++
		}
	}
	if remembered != size {
		t.Errorf("%d remembered, want %d", remembered, size)
	}
}

// Each network has a door of its own; a size below one means one.
func TestDoor_network(t *testing.T) {
	door := records.NewDoor(mustTestNetwork("other"), 0)
	if got := door.Network().ID(); got != mustTestNetwork("other").ID() {
		t.Errorf("network %s", got)
	}
	b := seal(t, testNet, person(0), samples(t)[0].draft).Bytes()
	if _, err := door.Open(b, noon); !errors.Is(err, records.ErrWrongNetwork) {
		t.Errorf("a record of another network: %v", err)
	}
	if _, err := door.Open(make([]byte, records.MaxRecord+1), noon); !errors.Is(err, records.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// Many may come to a door at once.
func TestDoor_concurrent(t *testing.T) {
	door := records.NewDoor(testNet, 4)
	var envelopes [][]byte
	for i := range 8 {
		envelopes = append(envelopes, seal(t, testNet, person(0), draftPost(t, i, records.MillisOf(noon), records.PostHead{})).Bytes())
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 64 {
				b := envelopes[i%len(envelopes)]
				if r, err := door.Open(b, noon); err != nil || !bytes.Equal(r.Bytes(), b) {
					t.Errorf("envelope %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

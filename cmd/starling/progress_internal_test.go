package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

// What a first start tells of how long it takes is so: of many searches for the key of a
// node of the main network as many have ended at any moment as the bar shows, half of
// them within the time that is told for half, and all but one in twenty within the other.
func TestPuzzle_estimate(t *testing.T) {
	t.Parallel()
	const (
		runs    = 20_000
		perTry  = 20 * time.Microsecond
		percent = searches / 100
	)
	expected := uint64(1) << records.MainNetwork().Params.PuzzleBits
	average := time.Duration(expected) * perTry
	rng := rand.New(rand.NewPCG(1, 2))
	tries := make([]uint64, runs)
	for i := range tries {
		tries[i] = uint64(rng.ExpFloat64() * float64(expected)) // as a million throws of a die with a million sides
	}
	share := func(most uint64) int {
		n := 0
		for _, t := range tries {
			if t <= most {
				n++
			}
		}
		return n * searches / runs
	}
	for _, of := range []uint64{10, 100, 150, 300, 500} { // hundredths of the mean
		most := expected * of / 100
		if got, want := ended(most, expected), share(most); got < want-2*percent || got > want+2*percent {
			t.Errorf("after %d tries the bar shows %d of %d, and %d have ended", most, got, searches, want)
		}
	}
	for told, want := range map[time.Duration]int{within(0.5, average): 500, within(0.95, average): 950} {
		if got := share(uint64(told / perTry)); got < want-2*percent || got > want+2*percent {
			t.Errorf("%d of %d end within %s, told of %d", got, searches, told, want)
		}
	}
	if ended(0, expected) != 0 || ended(1<<62, expected) != searches-1 {
		t.Error("the bar is not empty at first, or full before there is a key")
	}
}

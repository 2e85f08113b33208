//go:build race

package node_test

// raceEnabled makes simulated networks smaller under the race detector, which
// takes ten times as long.
const raceEnabled = true

//go:build race

package node_test

// raceEnabled tells that the race detector is on.
const raceEnabled = true

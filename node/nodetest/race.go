//go:build race

package nodetest

import "runtime"

// steady leaves the process one processor. The race detector of Go 1.26 crashes when two goroutines of a synctest bubble find a
// timer's channel due at the same moment (golang/go#78156), which hosts that dial do all the time.
// It loses nothing: it finds races by what is ordered, not by what coincides.
func steady() { runtime.GOMAXPROCS(1) }

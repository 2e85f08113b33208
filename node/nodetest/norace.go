//go:build !race

package nodetest

// steady is only needed under the race detector.
func steady() {}

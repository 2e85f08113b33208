//go:build !unix

package testnet

import "runtime"

// peakRSS is what the Go runtime has had from the system.
func peakRSS() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

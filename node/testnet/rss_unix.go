//go:build unix

package testnet

import (
	"runtime"
	"syscall"
)

// peakRSS is the most memory, in bytes, that the process has had at once.
func peakRSS() uint64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return uint64(u.Maxrss) // there in bytes
	}
	return uint64(u.Maxrss) << 10
}

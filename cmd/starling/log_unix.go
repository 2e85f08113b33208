//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// toJournald tells whether f is the stream that systemd gave the service: the
// variable alone is inherited by everything that the service starts.
func toJournald(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", s.Dev, s.Ino)
}

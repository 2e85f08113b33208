package node

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
)

// A directory that keys cannot be written to is told from one that has no room, as the
// store's is.
func TestUnwritable(t *testing.T) {
	for cause, want := range map[syscall.Errno]error{syscall.EROFS: ErrReadOnly, syscall.EACCES: ErrDenied, syscall.EPERM: ErrDenied, syscall.ENOSPC: syscall.ENOSPC} {
		err := unwritable(&fs.PathError{Op: "open", Path: "/srv/.key-1", Err: cause})
		if !errors.Is(err, want) || !errors.Is(err, cause) {
			t.Errorf("%v: %v, want %v", cause, err, want)
		}
		if cause == syscall.ENOSPC && (errors.Is(err, ErrReadOnly) || errors.Is(err, ErrDenied)) {
			t.Errorf("a full disk: %v", err)
		}
	}
}

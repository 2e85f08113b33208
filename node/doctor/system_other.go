//go:build !linux

package doctor

import (
	"errors"
	"runtime"
)

const secret = runtime.GOOS != "windows" // files have owners and modes

func space(string) (free, total int64, err error) { return 0, 0, errors.ErrUnsupported }

func fileSystem(string) (string, error) { return "", errors.ErrUnsupported }

func descriptors() (uint64, error) { return 0, errors.ErrUnsupported }

func udpBuffers() (receive, send int64, err error) { return 0, 0, errors.ErrUnsupported }

func synchronised() (bool, error) { return false, errors.ErrUnsupported }

func portOwner(string, int) string { return "" }

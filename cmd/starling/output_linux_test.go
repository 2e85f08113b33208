package main_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// A full disk is a failure, and says so.
func TestOutput_fullDisk(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	var errs bytes.Buffer
	c := newUser(t).command(t.Context(), "version")
	c.Stdout, c.Stderr = full, &errs
	if err := c.Run(); err == nil || c.ProcessState.ExitCode() != 1 || !strings.Contains(errs.String(), "no space") {
		t.Errorf("full disk: %v: %s", err, &errs)
	}
}

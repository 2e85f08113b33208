package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/node/testnet"
)

// Exit statuses. They are relied upon by scripts.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitNotRunning = 3
	exitLocked     = 4
)

// exits is what each of them means, as 'starling help exit-codes' says it.
var exits = [...]struct {
	code           int
	short, meaning string
}{
	{exitDone, "done", "Done, or ended as it should: by ctrl-C, or because nobody reads any more."},
	{exitFailed, "failed or missing", "Something failed or is missing: too few nodes acknowledged, no such post, a full disk, a port that is taken, a check of 'doctor' or 'db verify' that found something. Standard error says what; trying again may help."},
	{exitUsage, "usage or configuration", "The command line or the configuration makes no sense: an unknown command, flag, setting or value. Nothing was done, and the same again will end the same."},
	{exitNotRunning, "no node running", "No node runs on the data directory, or it stopped meanwhile. Start one with 'starling run'."},
	{exitLocked, "data directory in use, or of no use as it is", "The data directory is in use by another process, somebody else's, read-only, or of a newer version."},
}

// exitTable is that for people.
func exitTable() string {
	var b strings.Builder
	for _, e := range exits {
		fmt.Fprintf(&b, "  %d  %s\n     %s\n", e.code, e.short, wrapped(e.meaning, "     "))
	}
	return b.String()
}

// exitLine is that in short, below the help of every command.
func exitLine() string {
	var all []string
	for _, e := range exits {
		all = append(all, fmt.Sprintf("%d %s", e.code, e.short))
	}
	return wrapped("Exit status: "+strings.Join(all, ", ")+".", "")
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var bad usageError
	var problem *api.Problem
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &bad),
		errors.Is(err, node.ErrConfig), errors.Is(err, testnet.ErrConfig), errors.Is(err, api.ErrNotLoopback), errors.Is(err, api.ErrToken):
		return exitUsage
	case errors.Is(err, api.ErrNotRunning):
		return exitNotRunning
	case errors.Is(err, node.ErrLocked), errors.Is(err, node.ErrReadOnly), errors.Is(err, node.ErrDenied), errors.Is(err, node.ErrNewer):
		return exitLocked
	case errors.As(err, &problem):
		return problemCode(problem.Code)
	default:
		return exitFailed
	}
}

func problemCode(c api.Code) int {
	switch c {
	case api.CodeBadRequest, api.CodeTooLarge, api.CodeThread:
		return exitUsage
	case api.CodeStopping:
		return exitNotRunning
	default:
		return exitFailed
	}
}

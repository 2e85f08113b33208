package datastore

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The guard is also Pebble's logger: what Pebble calls fatal, expecting the process
// to end there, shuts it instead.

// background reports what Pebble will try again: the first time, the second, the
// fourth and so on.
func (g *guard) background(err error) {
	if pebble.IsCorruptionError(err) {
		_ = g.harm(err)
		return
	}
	if isFull(err) {
		g.full.Store(true)
	}
	if n := g.retries.Add(1); n&(n-1) == 0 && g.shut() == nil {
		g.log.Warn("store cannot tidy up", "err", err, "times", n)
	}
}

func (g *guard) corruption(i pebble.DataCorruptionInfo) {
	_ = g.harm(fmt.Errorf("%s: %w", i.Path, i.Details))
}

func (g *guard) Infof(format string, args ...any) {
	g.log.Debug("database", "message", fmt.Sprintf(format, args...))
}

func (g *guard) Errorf(format string, args ...any) {
	g.log.Debug("database", "message", fmt.Sprintf(format, args...))
}

func (g *guard) Fatalf(format string, args ...any) {
	_ = g.fail(fmt.Errorf(format, args...))
}

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/metrics"
	"runtime/pprof"
	"strings"
)

// room is what the process has taken, in GB.
type room struct {
	live   float64 // of the heap, as the collector found it last
	stacks float64 // of all goroutines
	all    float64 // with garbage, and what is free and not given back
}

// taken asks the runtime, which costs nothing: it does not collect.
func taken() room {
	asked := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(asked)
	var gb [4]float64
	for i, s := range asked {
		gb[i] = float64(s.Value.Uint64()) / (1 << 30)
	}
	return room{live: gb[0], stacks: gb[1], all: gb[2] - gb[3]}
}

// profile writes what is alive and where goroutines wait, as go tool pprof reads it, if
// that was asked for.
func (o *options) profile(what string, nodes int) (err error) {
	if o.heap == "" {
		return nil
	}
	for _, name := range []string{"heap", "goroutine"} {
		file := fmt.Sprintf("%s-%d-%s", strings.NewReplacer(" ", "-", "%", "").Replace(what), nodes, name)
		out, createErr := os.Create(filepath.Join(o.heap, file))
		if createErr != nil {
			return fmt.Errorf("profile: %w", createErr)
		}
		if err := errors.Join(pprof.Lookup(name).WriteTo(out, 0), out.Close()); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
	}
	return nil
}

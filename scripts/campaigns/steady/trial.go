package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// A tally is what came of one run, or of several.
type tally struct {
	passed, races int
	failed        []failure
}

// A failure is a test that failed, or a package that did without any of its tests: it
// was not built, it panicked, something was left behind.
type failure struct {
	name, said string
	run        int
	shuffle    uint32
}

func (t *tally) add(other tally, run int, shuffle uint32) {
	t.passed, t.races = t.passed+other.passed, t.races+other.races
	for _, f := range other.failed {
		f.run, f.shuffle = run, shuffle
		t.failed = append(t.failed, f)
	}
}

// trial is one run of the go command, on two processors.
func trial(ctx context.Context, args []string) (tally, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // arguments of ours
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOMAXPROCS=2", "GOGC=400", "GOMEMLIMIT=1500MiB")
	var wrong bytes.Buffer
	cmd.Stderr = &wrong
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return tally{}, err
	}
	t, err := read(out)
	ended := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return t, context.Cause(ctx)
	case err != nil:
		return t, err
	case ended != nil && (len(t.failed) == 0 || !errors.As(ended, &exit)):
		return t, fmt.Errorf("go test: %w: %s", ended, wrong.Bytes())
	}
	return t, nil
}

// An event is a line of test2json.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// subject is the test, or the package that the event is about. What a test's
// subtests say, it says.
func (e event) subject() string {
	path, _, _ := strings.Cut(e.Package+e.ImportPath, " ") // the latter of what is not built
	pkg := strings.TrimPrefix(path, "github.com/starling-social/starling/")
	if e.Test == "" {
		return pkg
	}
	test, _, _ := strings.Cut(e.Test, "/")
	return pkg + "." + test
}

// read takes the events of a run in.
func read(r io.Reader) (t tally, err error) {
	said := map[string]*strings.Builder{}
	guilty := map[string]bool{} // packages of which a test failed
	for lines := json.NewDecoder(r); ; {
		var e event
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			return t, nil
		} else if err != nil {
			return t, fmt.Errorf("read what go test says: %w", err)
		}
		who := e.subject()
		if said[who] == nil {
			said[who] = &strings.Builder{}
		}
		switch whole := !strings.Contains(e.Test, "/"); {
		case e.Output != "":
			said[who].WriteString(e.Output)
			if strings.Contains(e.Output, "WARNING: DATA RACE") {
				t.races++
			}
		case e.Action == "pass" && e.Test != "" && whole:
			t.passed++
		case e.Action == "fail" && whole && (e.Test != "" || !guilty[e.Package]):
			guilty[e.Package] = true
			t.failed = append(t.failed, failure{name: who, said: said[who].String()})
		}
		if e.Test != "" && (e.Action == "pass" || e.Action == "skip") && !strings.Contains(e.Test, "/") {
			delete(said, who)
		}
	}
}

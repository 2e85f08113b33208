package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// A bug is a mistake that somebody could make in one file, and the test that catches
// it.
type bug struct {
	name  string
	file  string // from the root of the repository
	edits []edit
	test  string
	pkg   string // of the test, if it is not that of the file
	light bool   // builds and runs within some seconds
}

// An edit replaces what stands once in the file.
type edit struct{ old, new string }

// one is the usual bug: one edit, caught by a test beside it.
func one(name, file, old, replaced, test string) bug {
	return bug{name: name, file: file, edits: []edit{{old, replaced}}, test: test}
}

func lightly(bs ...bug) []bug {
	for i := range bs {
		bs[i].light = true
	}
	return bs
}

// in is the package of the test.
func (b bug) in() string {
	if b.pkg != "" {
		return b.pkg
	}
	return path.Dir(b.file)
}

// patched is the file with the bug in it. A file that changed so that an edit does
// not fit any more is an error: the bug has to be put into the new code.
func (b bug) patched(root string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(b.file)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.name, err)
	}
	for _, e := range b.edits {
		if n := strings.Count(string(content), e.old); n != 1 {
			return nil, fmt.Errorf("%s: in %s stands %d times, want once:\n%s", b.name, b.file, n, e.old)
		}
		content = bytes.Replace(content, []byte(e.old), []byte(e.new), 1)
	}
	return content, nil
}

// A verdict is how the test went without the bug and with it.
type verdict struct {
	passes bool // without
	fails  bool // with
	took   time.Duration
}

func (v verdict) caught() bool { return v.passes && v.fails }

func (v verdict) word() string {
	switch {
	case !v.passes:
		return "fails anyway"
	case !v.fails:
		return "NOT CAUGHT"
	default:
		return "caught"
	}
}

// try runs the test on the code as it is and then with the bug. Nothing in the tree
// changes: the go command is told to read another file in place of the one.
func (b bug) try(ctx context.Context, root string) (v verdict, err error) {
	content, err := b.patched(root)
	if err != nil {
		return v, err
	}
	dir, err := os.MkdirTemp("", "starling-bug-")
	if err != nil {
		return v, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := b.overlay(root, dir, content)
	if err != nil {
		return v, err
	}
	began := time.Now()
	without, err := b.run(ctx, root)
	if err == nil {
		v.passes = without == "pass"
		var with string
		with, err = b.run(ctx, root, "-overlay="+overlay)
		v.fails = with == "fail"
	}
	v.took = time.Since(began)
	return v, err
}

// overlay writes what the -overlay flag of the go command takes.
func (b bug) overlay(root, dir string, content []byte) (string, error) {
	original, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(b.file)))
	if err != nil {
		return "", err
	}
	replaced, name := filepath.Join(dir, "replaced.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(replaced, content, 0o600); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: replaced}})
	if err != nil {
		return "", err
	}
	return name, os.WriteFile(name, list, 0o600)
}

// tooLong is more than any of the tests takes on a slow machine. One that hangs has
// caught nothing.
const tooLong = "5m"

// run is "pass" or "fail", as the test itself ended. If it never ran, because the
// code does not compile or there is no such test, or did not end, that is an error.
func (b bug) run(ctx context.Context, root string, flags ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-vet=off", "-timeout="+tooLong)
	cmd.Args = append(cmd.Args, flags...)
	cmd.Args = append(cmd.Args, "-run=^"+b.test+"$", "./"+b.in())
	cmd.Dir = root
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	failed := cmd.Run()
	end, said := ended(&out, b.test)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case strings.Contains(said, "panic: test timed out"):
		return "", fmt.Errorf("%s does not end", b.test)
	case end == "":
		said += complaint.String()
		return "", fmt.Errorf("%s did not run to its end: %w\n%s", b.test, errors.Join(failed, errNotRun), said[max(0, len(said)-maxSaid):])
	}
	return end, nil
}

// maxSaid is how much is repeated of what a test printed.
const maxSaid = 4 << 10

var errNotRun = errors.New("no such test, or the code does not compile")

// ended reads how a test ended, and all that was printed, from what go test says.
func ended(out *bytes.Buffer, test string) (end, said string) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<24)
	var all strings.Builder
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		all.WriteString(e.Output)
		if e.Test == test && (e.Action == "pass" || e.Action == "fail") {
			end = e.Action
		}
	}
	return end, all.String()
}

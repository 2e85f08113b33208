//go:build unix

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the command under test, built once.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "starling-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "starling")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	if err := os.Chmod(dir, 0o755); err != nil { // for the test that is somebody else
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// patience bounds every wait: long enough for a loaded machine, and only ever used
// up by a test that fails.
const patience = 60 * time.Second

// result is how a command went.
type result struct {
	code        int
	out, errors string
}

// user is somebody at a terminal without a home but the data directory.
type user struct {
	data  string
	stdin string
	env   []string // instead of STARLING_DATA, if there is no data
	uid   uint32   // 0 for whoever runs the test
}

func newUser(t *testing.T) user {
	t.Helper()
	return user{data: filepath.Join(t.TempDir(), "data")}
}

func (u user) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, program, args...)
	c.Env = append([]string{"PATH=" + os.Getenv("PATH")}, u.env...)
	if u.data != "" {
		c.Env = append(c.Env, "STARLING_DATA="+u.data)
	}
	if u.uid != 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.uid, Gid: u.uid}}
	}
	c.Stdin = strings.NewReader(u.stdin)
	return c
}

func (u user) says(text string) user { u.stdin = text; return u }

// run runs a command to its end.
func (u user) run(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	c := u.command(ctx, args...)
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("starling %q: %v\n%s", args, err, &errs)
	}
	return result{c.ProcessState.ExitCode(), out.String(), errs.String()}
}

// want runs a command that must end with a status, and returns its output.
func (u user) want(t *testing.T, code int, args ...string) result {
	t.Helper()
	r := u.run(t, args...)
	if r.code != code {
		t.Fatalf("starling %q ended with %d, want %d\n%s%s", args, r.code, code, r.out, r.errors)
	}
	if code == 0 && r.errors != "" {
		t.Errorf("starling %q complains: %s", args, r.errors)
	}
	return r
}

// object is a line of JSON.
type object map[string]any

func (o object) str(name string) string { s, _ := o[name].(string); return s }

// lines are the JSON lines of an output that holds nothing else.
func lines(t *testing.T, out string) (all []object) {
	t.Helper()
	for line := range strings.Lines(out) {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("not a line of JSON: %q: %v", line, err)
		}
		all = append(all, o)
	}
	return all
}

// json runs a command with --json that must be done, and returns its lines.
func (u user) json(t *testing.T, args ...string) []object {
	t.Helper()
	return lines(t, u.want(t, 0, append(args, "--json")...).out)
}

// wantKeys fails unless an object has just these names.
func wantKeys(t *testing.T, o object, names ...string) {
	t.Helper()
	var got []string
	for name := range o {
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("names %v, want %v", got, names)
	}
}

// process is a command that goes on.
type process struct {
	*exec.Cmd
	out   *bufio.Scanner
	errs  *log
	ended chan struct{}
	ready object // of a node
}

// log is what a process wrote to standard error so far.
type log struct {
	mu sync.Mutex // protects b
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts a command; what is left of it when the test ends is killed.
func (u user) start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{Cmd: u.command(ctx, args...), errs: &log{}, ended: make(chan struct{})}
	r, w := io.Pipe()
	p.Stdout, p.Stderr = w, p.errs
	p.out = bufio.NewScanner(r)
	p.out.Buffer(nil, 1<<20)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.Wait() // the status is asked for where it matters
		_ = w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		_ = r.Close()
		<-p.ended
		if t.Failed() {
			t.Logf("starling %q wrote:\n%s", args, p.errs)
		}
	})
	return p
}

// next is the next line of JSON that a process prints.
func (p *process) next(t *testing.T) object {
	t.Helper()
	late := time.AfterFunc(patience, func() { _ = p.Process.Kill() })
	defer late.Stop()
	if !p.out.Scan() {
		t.Fatalf("no more lines: %v\n%s", p.out.Err(), p.errs)
	}
	return lines(t, p.out.Text())[0]
}

// node starts a node on a network named after the test, and waits until it is ready.
func (u user) node(t *testing.T, args ...string) *process {
	t.Helper()
	p := u.start(t, append([]string{"run", "--json", "--network", networkOf(t), "--api", "127.0.0.1:0"}, args...)...)
	p.ready = p.next(t)
	return p
}

func networkOf(t *testing.T) string {
	t.Helper()
	name := strings.ToLower(strings.Map(func(r rune) rune {
		if r == '_' || r == '/' {
			return '-'
		}
		return r
	}, strings.TrimPrefix(t.Name(), "Test")))
	return name[:min(len(name), 32)]
}

// on is where tests listen: one wire on loopback, on any free port.
func on(wire string) []string { return []string{"--listen", "/ip4/127.0.0.1" + wire} }

// addr is the address of a node that holds what, or the first.
func (p *process) addr(t *testing.T, what string) string {
	t.Helper()
	addrs, _ := p.ready["addrs"].([]any)
	for _, a := range addrs {
		if s, _ := a.(string); strings.Contains(s, what) {
			return s
		}
	}
	t.Fatalf("no address with %q in %v", what, addrs)
	return ""
}

// signal sends a signal and waits for the end.
func (p *process) signal(t *testing.T, s os.Signal) (code int, took time.Duration) {
	t.Helper()
	began := time.Now()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	go func() { // nobody else reads what it still prints
		for p.out.Scan() {
		}
	}()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("still running %s after %s", patience, s)
	}
	return p.ProcessState.ExitCode(), time.Since(began)
}

func (p *process) interrupt(t *testing.T) {
	t.Helper()
	if code, took := p.signal(t, syscall.SIGINT); code != 0 || took > 10*time.Second {
		t.Errorf("ctrl-C: ended with %d after %s\n%s", code, took, p.errs)
	}
}

//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// found is what the doctor says of one check.
func found(t *testing.T, r result, check string) (all []object) {
	t.Helper()
	for _, o := range lines(t, r.out) {
		if o.str("check") == check {
			all = append(all, o)
		}
	}
	return all
}

func wantFound(t *testing.T, r result, check, state, word string) {
	t.Helper()
	for _, o := range found(t, r, check) {
		if o.str("state") == state && strings.Contains(o.str("found"), word) {
			return
		}
	}
	t.Errorf("%s: want %s with %q, found %v", check, state, word, found(t, r, check))
}

// The doctor sees whether a node runs, ended, or crashed, and makes nothing.
func TestDoctor_node(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	wantFound(t, u.run(t, "doctor", "--json"), "node", "ok", "does not run")
	if _, err := os.Stat(u.data); !os.IsNotExist(err) {
		t.Errorf("made a data directory: %v", err)
	}
	n := u.node(t, on("/tcp/0")...)
	r := u.run(t, "doctor", "--json")
	wantFound(t, r, "node", "ok", "runs for")
	wantFound(t, r, "reachability", "warn", "nobody is connected")
	n.signal(t, syscall.SIGKILL)
	wantFound(t, u.run(t, "doctor", "--json"), "node", "warn", "api.json")
}

// What is wrong ends with 1 and says what to do; a configuration that cannot be read
// keeps nobody from looking at the machine.
func TestDoctor_wrong(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	file := filepath.Join(t.TempDir(), "starling.toml")
	if err := os.WriteFile(file, []byte("[store]\nqota = '1GiB'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := u.want(t, 1, "doctor", "--json", "--config", file)
	wantFound(t, r, "configuration", "fail", "store.quota")
	wantFound(t, r, "clock", found(t, r, "clock")[0].str("state"), "it shows")
	u.env = []string{"STARLING_NETWORK__BOOTSTRAP=/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"}
	wantFound(t, u.want(t, 1, "doctor", "--json"), "joining", "fail", "nobody answers")
	shown := u.want(t, 1, "doctor")
	if !strings.Contains(shown.out, "FAIL  joining") || !strings.Contains(shown.out, "→ ask its operator") || strings.Contains(shown.out, "\x1b") {
		t.Errorf("shown:\n%s", shown.out)
	}
}

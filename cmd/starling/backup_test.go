//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newMachine is another data directory with the key of this person and nothing else.
func (u user) newMachine(t *testing.T) user {
	t.Helper()
	other := newUser(t)
	err := os.MkdirAll(other.data, 0o700)
	if err == nil {
		err = os.Link(filepath.Join(u.data, "person.key"), filepath.Join(other.data, "person.key"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// What somebody saved comes back, from a node that runs or not, to one that runs or
// not, and is theirs there.
func TestBackup(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	n := u.node(t, on("/tcp/0")...)
	posted := u.json(t, "post", "keep me #birds")[0]
	u.json(t, "post", "and me #go")
	file := filepath.Join(t.TempDir(), "backup.starling")
	saved := u.json(t, "export", file)[0]
	if saved["records"] != 2.0 || saved.str("file") != file || saved["unreadable"] != 0.0 {
		t.Errorf("saved %v", saved)
	}
	wantMode(t, file, 0o600)
	running := u.json(t, "db", "stats")[0]

	bare := u.newMachine(t)
	if done := bare.json(t, "import", file)[0]; done["new"] != 2.0 || done["refused"] != 0.0 {
		t.Errorf("into nothing: %v", done)
	}
	if done := bare.json(t, "import", file)[0]; done["new"] != 0.0 || done["had"] != 2.0 {
		t.Errorf("again: %v", done)
	}
	stats := bare.json(t, "db", "stats")[0]
	for _, name := range []string{"network_id", "records", "places", "entries", "displaced", "damaged", "own", "held"} {
		if a, b := stats[name], running[name]; !same(a, b) {
			t.Errorf("%s is %v, at the node it was %v", name, a, b)
		}
	}
	if own, _ := stats["own"].(map[string]any); own["records"] != 2.0 {
		t.Errorf("not the owner's: %v", stats)
	}

	n.interrupt(t)
	part := filepath.Join(t.TempDir(), "part")
	if got := u.json(t, "export", part, "--tag", "#Birds")[0]; got["records"] != 1.0 {
		t.Errorf("one tag of a stopped node: %v", got)
	}
	mine := u.want(t, 0, "export", "--mine", "-").out
	third := u.newMachine(t)
	m := third.node(t, on("/tcp/0")...)
	if done := third.says(mine).json(t, "import", "-")[0]; done["new"] != 2.0 {
		t.Errorf("through a running node: %v", done)
	}
	if posts := third.json(t, "timeline", "#birds"); len(posts) != 1 || posts[0].str("id") != posted.str("id") {
		t.Errorf("timeline of what came back: %v", posts)
	}
	m.interrupt(t)
	for _, who := range []user{u, bare, third} {
		if r := who.want(t, 0, "db", "verify"); !strings.Contains(r.out, "2 records") {
			t.Errorf("verify: %s", r.out)
		}
		who.want(t, 0, "db", "compact")
		who.want(t, 0, "db", "verify", "--json")
	}
}

// Of an archive that was cut, what is whole is kept, and it is said where it ends;
// one of another network, or something else, is refused.
func TestBackup_refused(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	n := u.node(t, on("/tcp/0")...)
	u.json(t, "post", "one")
	u.json(t, "post", "two")
	file := filepath.Join(t.TempDir(), "backup.starling")
	u.want(t, 0, "export", file)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cut := string(whole[:len(whole)-100])
	for name, who := range map[string]user{"running": u, "stopped": u.newMachine(t)} {
		if r := who.says(cut).want(t, 1, "import", "-"); !strings.Contains(r.errors, "at byte") || !strings.Contains(r.out, "1 ") {
			t.Errorf("cut, %s: %s%s", name, r.out, r.errors)
		}
		if r := who.says("hello").want(t, 1, "import", "-"); !strings.Contains(r.errors, "not a Starling archive") {
			t.Errorf("no archive, %s: %s%s", name, r.out, r.errors)
		}
	}
	if r := u.want(t, 4, "db", "verify"); !strings.Contains(r.errors, "stop") {
		t.Errorf("verify while it runs: %s", r.errors)
	}
	n.interrupt(t)
	other := u.newMachine(t)
	run := append([]string{"run", "--json", "--network", "another", "--api", "127.0.0.1:0"}, on("/tcp/0")...)
	p := other.start(t, run...)
	p.next(t)
	if r := other.want(t, 1, "import", file); !strings.Contains(r.errors, "another network") {
		t.Errorf("into a node of another network: %s", r.errors)
	}
	p.interrupt(t)
	if r := other.want(t, 1, "import", file); !strings.Contains(r.errors, "another network") {
		t.Errorf("into its store: %s", r.errors)
	}
}

// A file is there whole or as it was before.
func TestBackup_file(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.node(t, on("/tcp/0")...).interrupt(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "backup")
	if err := os.WriteFile(file, []byte("older"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("backup", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	u.want(t, 0, "export", filepath.Join(dir, "link"))
	wantMode(t, file, 0o600)
	if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), "starling archive 1\n") {
		t.Errorf("%.20q, %v", b, err)
	}
	u.want(t, 1, "export", filepath.Join(dir, "none", "backup"))
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v: want the file and the link", files, err)
	}
	u.want(t, 0, "export", os.DevNull)
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s is %v, %v", os.DevNull, info.Mode(), err)
	}
}

func same(a, b any) bool {
	m, isMap := a.(map[string]any)
	o, _ := b.(map[string]any)
	if !isMap {
		return a == b
	}
	for k := range m {
		if m[k] != o[k] {
			return false
		}
	}
	return len(m) == len(o)
}

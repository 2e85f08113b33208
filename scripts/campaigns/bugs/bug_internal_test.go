package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

// Every bug fits the code as it is, and its test exists: who changes either changes
// the bug in the same commit.
func TestBugs_fit(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range all() {
		if seen[b.name] {
			t.Errorf("two bugs are called %q", b.name)
		}
		seen[b.name] = true
		if _, err := b.patched(root); err != nil {
			t.Error(err)
		}
		if !declares(t, filepath.Join(root, b.in()), b.test) {
			t.Errorf("%s: no %s in %s", b.name, b.test, b.in())
		}
	}
	if len(seen) < 20 {
		t.Errorf("%d bugs, want 20 or more", len(seen))
	}
}

func declares(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	declaration := regexp.MustCompile(`(?m)^func ` + test + `\(`)
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if declaration.Match(source) {
			return true
		}
	}
	return false
}

// In a module of one function: what its test notices, what a test does not, and what
// does not compile.
func TestBug_try(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":    "module example\n\ngo 1.26\n",
		"a.go":      "package a\n\nfunc Two() int { return 2 }\n",
		"a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestTwo(t *testing.T) {\n\tif Two() != 2 {\n\t\tt.Error(Two())\n\t}\n}\n\nfunc TestAny(*testing.T) {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		old, new, test string
		word, err      string
	}{
		"caught":           {"return 2", "return 3", "TestTwo", "caught", ""},
		"not caught":       {"return 2", "return 3", "TestAny", "NOT CAUGHT", ""},
		"does not compile": {"return 2", "return x", "TestTwo", "", "does not compile"},
		"does not fit":     {"return 4", "return 3", "TestTwo", "", "stands 0 times"},
	} {
		v, err := bug{name: name, file: "a.go", edits: []edit{{c.old, c.new}}, test: c.test}.try(t.Context(), dir)
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %v, want %q", name, err, c.err)
		case c.err == "" && (err != nil || v.word() != c.word || v.caught() != (c.word == "caught")):
			t.Errorf("%s: %s, %v", name, v.word(), err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "a.go")); err != nil || !strings.Contains(string(b), "return 2") {
		t.Errorf("the tree was changed: %s, %v", b, err)
	}
}

package records_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/starling-social/starling/records"
)

var (
	testName = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

// Every test that the specification names exists, in whatever package.
func TestSpec_namesTests(t *testing.T) {
	spec, err := os.ReadFile("../docs/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	exists := allTests(t)
	named := testName.FindAllString(string(spec), -1)
	for _, name := range named {
		if !exists[name] {
			t.Errorf("docs/spec.md names %s, which is no test", name)
		}
	}
	if len(named) < 50 {
		t.Errorf("%d tests named: the pattern finds too few", len(named))
	}
}

// allTests are the names of all tests and fuzz targets.
func allTests(t *testing.T) map[string]bool {
	t.Helper()
	exists := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllSubmatch(source, -1) {
			exists[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return exists
}

// The table of what the DHT promises names tests that exist, and leaves no row out.
func TestDHT_namesTests(t *testing.T) {
	table, err := os.ReadFile("../docs/dht.md")
	if err != nil {
		t.Fatal(err)
	}
	exists := allTests(t)
	for _, name := range testName.FindAllString(string(table), -1) {
		if !exists[name] {
			t.Errorf("docs/dht.md names %s, which is no test", name)
		}
	}
	want := []string{"H1", "H10", "B4a", "B4b", "B4c", "B4d", "B4e"}
	for prefix, last := range map[string]int{"K": 17, "C": 16, "B": 13, "T": 13} {
		for i := range last {
			if row := fmt.Sprint(prefix, i+1); row != "B4" {
				want = append(want, row)
			}
		}
	}
	for _, row := range want {
		at := strings.Index(string(table), "\n| "+row+" |")
		if at < 0 {
			t.Errorf("docs/dht.md has no row %s", row)
			continue
		}
		line, _, _ := strings.Cut(string(table)[at+1:], "\n")
		if !testName.MatchString(line) && !strings.Contains(line, "`") {
			t.Errorf("nothing holds row %s", row)
		}
	}
}

// Every derive-key context stands in the specification.
func TestSpec_namesContexts(t *testing.T) {
	spec, err := os.ReadFile("../docs/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	for purpose, context := range records.Contexts() {
		if !strings.Contains(string(spec), "| "+purpose+" | `"+context+"` |") {
			t.Errorf("docs/spec.md does not say that the context of %s is %q", purpose, context)
		}
	}
}

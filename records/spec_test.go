package records_test

import (
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
	exists := map[string]bool{}
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
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

package golden_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-social/starling/records/golden"
)

// told is a test that notes what it is told.
type told struct{ errors, deaths []string }

func (*told) Helper() {}

func (t *told) Errorf(format string, args ...any) {
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}

func (t *told) Fatal(args ...any) { t.deaths = append(t.deaths, fmt.Sprint(args...)) }

func TestMatch(t *testing.T) {
	t.Chdir(t.TempDir())
	path := filepath.Join("testdata", "golden", "numbers.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("[\n  1,\n  2\n]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	same, other, missing := &told{}, &told{}, &told{}
	golden.Match(same, "golden/numbers.json", []int{1, 2})
	golden.Match(other, "golden/numbers.json", []int{1, 3})
	golden.Match(missing, "golden/letters.json", "x")
	if len(same.errors)+len(same.deaths) > 0 {
		t.Errorf("what is the same: %v, %v", same.errors, same.deaths)
	}
	if len(other.errors) != 1 || !strings.HasSuffix(other.errors[0], "3\nwant\n  2") {
		t.Errorf("what differs: %q, want the line that does", other.errors)
	}
	if len(missing.deaths) != 1 {
		t.Errorf("a file that is not there: %v", missing.deaths)
	}
}

package records_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// rewrite writes the golden vectors instead of comparing with them.
var rewrite = flag.Bool("rewrite", false, "write testdata/golden and testdata/invalid/records.json anew")

// The package starts no goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

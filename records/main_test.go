package records_test

import (
	"testing"

	"go.uber.org/goleak"
)

// The package starts no goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

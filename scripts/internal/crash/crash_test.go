package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/starling-social/starling/scripts/internal/crash"
)

// The test binary is its own child: with these set it is killed rather than
// tested.
const (
	envDir   = "STARLING_CRASH_DIR"
	envCycle = "STARLING_CRASH_CYCLE"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envDir); dir != "" {
		cycle, err := strconv.Atoi(os.Getenv(envCycle))
		if err == nil {
			err = crash.Child(context.Background(), dir, cycle, os.Stdout)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// What the store acknowledged survives SIGKILL, twenty times on one store.
func TestTrial_losesNothing(t *testing.T) {
	const cycles = 20
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	trial, err := crash.New(dir, rand.New(rand.NewPCG(seed, 0)), func(ctx context.Context, cycle int) *exec.Cmd {
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), envDir+"="+dir, envCycle+"="+strconv.Itoa(cycle))
		return cmd
	})
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for range cycles {
		r, err := trial.Cycle(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Lost > 0 {
			t.Fatalf("%d of %d acknowledged records lost", r.Lost, r.Checked)
		}
		acknowledged += r.Acknowledged
	}
	t.Logf("%d acknowledgements in %d cycles", acknowledged, cycles)
}

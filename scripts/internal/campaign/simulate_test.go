package campaign_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

var _ nodetest.T = (*campaign.Simulation)(nil)

// A year of virtual time takes no time, and cleanups come last and in reverse.
func TestSimulate_virtualTime(t *testing.T) {
	began := time.Now()
	var order []string
	err := campaign.Simulate(t.Context(), func(_ context.Context, s *campaign.Simulation) error {
		s.Cleanup(func() { order = append(order, "second") })
		s.Cleanup(func() { order = append(order, "first") })
		before := time.Now()
		<-time.NewTimer(24 * time.Hour).C
		if passed := time.Since(before); passed != 24*time.Hour {
			t.Errorf("%s passed", passed)
		}
		order = append(order, "run")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"run", "first", "second"}; !slices.Equal(order, want) {
		t.Errorf("order is %v, want %v", order, want)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("a day took %s", took)
	}
}

// Failures become errors, and what was to be cleaned up is.
func TestSimulate_failures(t *testing.T) {
	cases := map[string]struct {
		run  func(context.Context, *campaign.Simulation) error
		want string
	}{
		"an error": {
			func(context.Context, *campaign.Simulation) error { return errors.New("no members") },
			"no members",
		},
		"a fatal failure": {
			func(_ context.Context, s *campaign.Simulation) error {
				s.Fatalf("node %d is not ready", 3)
				return errors.New("went on")
			},
			"node 3 is not ready",
		},
		"failures of cleanups": {
			func(_ context.Context, s *campaign.Simulation) error {
				s.Cleanup(func() { s.Errorf("node %d ended", 5) })
				return nil
			},
			"node 5 ended",
		},
		"what does not end": {
			func(context.Context, *campaign.Simulation) error {
				go func() { <-make(chan int) }()
				return nil
			},
			"virtual time: deadlock: main bubble goroutine has exited but blocked goroutines remain",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cleaned := false
			err := campaign.Simulate(t.Context(), func(ctx context.Context, s *campaign.Simulation) error {
				s.Cleanup(func() { cleaned = true })
				return c.run(ctx, s)
			})
			if err == nil || err.Error() != c.want {
				t.Errorf("ended with %v, want %q", err, c.want)
			}
			if !cleaned {
				t.Error("nothing was cleaned up")
			}
		})
	}
}

// Ctrl-C and the limit of --quick come in real time and end what waits in virtual
// time.
func TestSimulate_interrupted(t *testing.T) {
	outer, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	err := campaign.Simulate(outer, func(ctx context.Context, _ *campaign.Simulation) error {
		cancel(errors.New("ctrl-C"))
		<-ctx.Done()
		return ctx.Err()
	})
	if err == nil || !strings.Contains(err.Error(), "ctrl-C") {
		t.Errorf("ended with %v", err)
	}
}

package testnet_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/starling-social/starling/node/testnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter is progress that remembers how far each phase came.
type counter struct {
	mu     sync.Mutex // protects phases and done
	phases []string
	done   map[string][2]int // done and total
}

func (c *counter) Phase(name string, total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = map[string][2]int{}
	}
	c.phases = append(c.phases, name)
	c.done[name] = [2]int{0, total}
}

func (c *counter) Advance(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := c.phases[len(c.phases)-1]
	c.done[name] = [2]int{c.done[name][0] + n, c.done[name][1]}
}

// A network publishes, reads and watches, says how far it is, and leaves nothing
// behind.
func TestRun(t *testing.T) {
	dir, progress := t.TempDir(), &counter{}
	r, err := testnet.Run(t.Context(), testnet.Config{
		Nodes: 6, Neighbourhood: 4, Limit: 60, Dir: dir,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Progress: progress,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Complete() || r.Posts != 60 || r.ReadBack <= 60 || r.LiveExpected == 0 || r.Nodes != 6 {
		t.Errorf("result %+v", r)
	}
	if r.PostsPerS <= 0 || r.PublishP50 <= 0 || r.PublishP99 < r.PublishP50 || r.TimelineP50 <= 0 || r.LiveP50 <= 0 || r.RSS <= 0 {
		t.Errorf("figures %+v", r)
	}
	for name, done := range progress.done {
		if done[0] != done[1] {
			t.Errorf("phase %q ended at %d of %d", name, done[0], done[1])
		}
	}
	empty(t, dir)
}

// Whoever gives up gets a clean end.
func TestRun_cancelled(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	progress := &stopper{at: "publish", stop: cancel}
	_, err := testnet.Run(ctx, testnet.Config{Nodes: 3, Neighbourhood: 2, Limit: 50, Dir: dir, Progress: progress})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	empty(t, dir)
}

// stopper stops the run when a phase begins.
type stopper struct {
	at   string
	stop func()
}

func (s *stopper) Phase(name string, _ int) {
	if name == s.at {
		s.stop()
	}
}

func (*stopper) Advance(int) {}

func empty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRun_badConfig(t *testing.T) {
	for _, c := range []testnet.Config{
		{Nodes: 1, Neighbourhood: 4},
		{Nodes: 201, Neighbourhood: 4},
		{Nodes: -1, Neighbourhood: 4},
		{Nodes: 5, Neighbourhood: 0},
		{Nodes: 5, Neighbourhood: 1 << 20},
		{Nodes: 5, Neighbourhood: 4, Limit: -1},
	} {
		if _, err := testnet.Run(t.Context(), c); !errors.Is(err, testnet.ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

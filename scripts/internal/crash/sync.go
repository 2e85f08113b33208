package crash

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Sync is what one failed sync came to.
type Sync struct {
	Acknowledged int
	Refused      int
	Lost         int // of what was acknowledged, when then the power goes
	Again        int // writes and syncs of files that could not be synced
}

// FailSync writes to a store of which one sync, chosen at random, fails, and lets the
// power go in the end.
func FailSync(ctx context.Context, seed uint64) (r Sync, err error) {
	l, err := newLoad()
	if err != nil {
		return r, err
	}
	random := rand.New(rand.NewPCG(seed, 2))
	mem, bad := vfs.NewCrashableMem(), &badSync{failed: map[string]bool{}}
	s, err := l.open(errorfs.Wrap(mem, errorfs.InjectorFunc(bad.inject)), dir)
	if err != nil {
		return r, err
	}
	bad.failAfter(random.IntN(20))
	for round := 0; round < 20 && (bad.waits() || round < 3); round++ {
		if err := l.run(ctx, s, 10*round, 10*round+10, 1000); err != nil {
			return r, errors.Join(err, s.Close())
		}
	}
	left := mem.CrashClone(vfs.CrashCloneCfg{})
	_ = s.Close() // it may tell of the failure
	if s, err = l.open(left, dir); err != nil {
		return r, err
	}
	bad.mu.Lock()
	defer bad.mu.Unlock()
	r = Sync{Acknowledged: len(l.acknowledged), Refused: l.refused, Lost: missing(s, l.acknowledged), Again: bad.again}
	return r, errors.Join(s.Verify(), s.Close())
}

// badSync fails one sync of a file, and counts what is done with that file afterwards.
type badSync struct {
	mu     sync.Mutex // protects what follows
	left   int
	on     bool
	failed map[string]bool
	again  int
}

func (b *badSync) failAfter(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left, b.on = n, true
}

func (b *badSync) waits() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.on
}

func (b *badSync) inject(op errorfs.Op) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	sync := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
	if b.failed[op.Path] && (sync || op.Kind == errorfs.OpFileWrite) {
		b.again++
	}
	if !b.on || !sync || op.Path == dir {
		return nil
	}
	if b.left--; b.left >= 0 {
		return nil
	}
	b.on = false
	b.failed[op.Path] = true
	return syscall.EIO
}

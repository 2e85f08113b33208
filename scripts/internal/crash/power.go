package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/starling-social/starling/records"
)

// Power is what one loss of power came to.
type Power struct {
	Acknowledged int
	Lost         int  // of these
	MadeAnew     bool // what it left looked damaged
}

// LosePower writes to a store, lets the power go at a random moment with this part of
// what was not synced on disk all the same, and looks at what is left.
func LosePower(ctx context.Context, seed uint64, unsynced int) (p Power, err error) {
	l, err := newLoad()
	if err != nil {
		return p, err
	}
	random := rand.New(rand.NewPCG(seed, 1))
	mem := vfs.NewCrashableMem()
	s, err := l.open(mem, dir)
	if err != nil {
		return p, err
	}
	authors := 4 + random.IntN(12)
	at := 1 + random.IntN(5*authors)
	var left *vfs.MemFS
	var acknowledged map[records.ItemKey]*records.Record
	l.onAcknowledged = func(total int) {
		if total == at && left == nil {
			acknowledged = maps.Clone(l.acknowledged)
			left = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: random})
		}
	}
	err = l.run(ctx, s, 0, authors, 100+random.IntN(3000))
	if err = errors.Join(err, s.Close()); err != nil {
		return p, err
	}
	if s, err = l.open(left, dir); err != nil {
		return p, fmt.Errorf("open after the power went: %w", err)
	}
	select {
	case <-s.Harmed():
		p.MadeAnew = true
	default:
	}
	p.Acknowledged, p.Lost = len(acknowledged), missing(s, acknowledged)
	return p, errors.Join(s.Verify(), s.Close())
}

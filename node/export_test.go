package node

import (
	"context"
	"time"
)

// Tasks is what owns background work.
type Tasks struct{ tasks tasks }

func (t *Tasks) Start(ctx context.Context, timeout time.Duration, f func(ctx context.Context)) bool {
	return t.tasks.start(ctx, timeout, f)
}

func (t *Tasks) Close() { t.tasks.close() }

package exchange

import (
	"context"
	"sync/atomic"
)

// Meter counts the requests of the contexts it was given to, [WithMeter].
type Meter struct {
	Requests atomic.Int64 // sent
	Sent     atomic.Int64 // bytes of their frames
	Received atomic.Int64 // bytes of the frames that answered them
}

type meterKey struct{}

// WithMeter is a context whose requests m counts.
func WithMeter(ctx context.Context, m *Meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// count adds a request to the meter of the context, if it has one.
func count(ctx context.Context, sent, received int) {
	if m, ok := ctx.Value(meterKey{}).(*Meter); ok {
		m.Requests.Add(1)
		m.Sent.Add(int64(sent))
		m.Received.Add(int64(received))
	}
}

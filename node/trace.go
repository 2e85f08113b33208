package node

import (
	"context"
	"sync"

	"github.com/starling-social/starling/protocol/exchange"
)

// Trace counts what reading cost. Give one to a call by [WithTrace] and look at it
// when the call has returned.
type Trace struct {
	mu      sync.Mutex
	cost    Cost
	metered exchange.Meter
}

// Cost is what reading cost, without looking up who holds what.
type Cost struct {
	Rounds   int   // questions that waited for the answer to another, one after the other; none for what is held here
	Places   int   // buckets asked about
	Records  int   // records shown by others and by our own store, each as often as it was shown
	Requests int64 // frames sent to other nodes
	Sent     int64 // bytes
	Received int64 // bytes
}

type traceKey struct{}

// WithTrace is a context in which calls of [Node.Timeline] and [Node.Merged] count
// what they cost.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return exchange.WithMeter(context.WithValue(ctx, traceKey{}, t), &t.metered)
}

// Cost is what the calls so far cost.
func (t *Trace) Cost() Cost {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.cost
	c.Requests, c.Sent, c.Received = t.metered.Requests.Load(), t.metered.Sent.Load(), t.metered.Received.Load()
	return c
}

// traceOf is the trace of a context; nil, which counts nothing, if there is none.
func traceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

func (t *Trace) add(rounds, places, shown int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cost.Rounds += rounds
	t.cost.Places += places
	t.cost.Records += shown
}

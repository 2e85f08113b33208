package node

import (
	"context"
	"sync"
	"time"
)

// tasks are goroutines that outlive the call which started them, but not the node.
type tasks struct {
	mu      sync.Mutex // protects what follows, and that nothing starts once closed is set
	closed  bool
	cancels map[int]context.CancelFunc // of those that run
	last    int
	group   sync.WaitGroup
}

// start runs f, with the values of ctx but not its end, for at most timeout;
// false, and f is not run, once the tasks are over.
func (t *tasks) start(ctx context.Context, timeout time.Duration, f func(ctx context.Context)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.group.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		defer t.register(cancel)()
		f(ctx)
	})
	return true
}

// register has cancel called when the tasks are closed, until what it returns is.
func (t *tasks) register(cancel context.CancelFunc) (unregister func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		cancel()
	}
	if t.cancels == nil {
		t.cancels = map[int]context.CancelFunc{}
	}
	t.last++
	id := t.last
	t.cancels[id] = cancel
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.cancels, id)
	}
}

// close cuts short what runs and waits for it.
func (t *tasks) close() {
	t.mu.Lock()
	t.closed = true
	for _, cancel := range t.cancels {
		cancel()
	}
	t.mu.Unlock()
	t.group.Wait()
}

package dht

import (
	"context"
	"sync"
)

// calls are what uses the wire and has to leave before Run returns: what others ask
// of us, and the questions that a search no longer waits for.
type calls struct {
	mu      sync.Mutex // protects what follows, and that nobody joins once closed is set
	closed  bool
	cancels map[*context.CancelFunc]struct{}
	over    sync.WaitGroup // those that have not left
}

func newCalls() *calls { return &calls{cancels: map[*context.CancelFunc]struct{}{}} }

// join begins a call: inner ends when ctx does or when the calls are ended, which
// waits for leave.
func (c *calls) join(ctx context.Context) (inner context.Context, leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, ErrClosed
	}
	inner, cancel := context.WithCancel(ctx)
	id := &cancel
	c.cancels[id] = struct{}{}
	c.over.Add(1)
	return inner, func() {
		cancel()
		c.mu.Lock()
		delete(c.cancels, id)
		c.mu.Unlock()
		c.over.Done()
	}, nil
}

// end cuts short what is under way and waits for it.
func (c *calls) end() {
	c.mu.Lock()
	c.closed = true
	for cancel := range c.cancels {
		(*cancel)()
	}
	c.mu.Unlock()
	c.over.Wait()
}

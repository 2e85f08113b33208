package node

import "sync"

// tasks are goroutines that somebody waits for. After wait has been called none
// is started any more.
type tasks struct {
	mu     sync.Mutex // protects closed, and that nothing is added once it is set
	closed bool
	group  sync.WaitGroup
}

// start runs f on a goroutine; false when it is too late.
func (t *tasks) start(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.group.Go(f)
	return true
}

func (t *tasks) wait() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.group.Wait()
}

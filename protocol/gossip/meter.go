package gossip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// ErrBusy is for an announcement that found the queues to the relays full for too long.
var ErrBusy = errors.New("queues to the relays are full")

// How long an announcement waits for room in the queues to its peers.
const (
	// roomForAll is how long it waits for every one of them.
	roomForAll = 250 * time.Millisecond
	// roomForHalf is how long it waits for half of them. A few slow or hostile readers are not to hold up everybody's
	// posts: what they do not take they are offered by others.
	roomForHalf = 10 * time.Second
	// stalled is how long a queue may stand still before nobody waits for it, if others have room. pubsub cuts such a peer off after
	// 30 s.
	stalled = 2 * time.Second
)

// meter knows how many messages wait in pubsub's queue to every peer. It takes time.Now for what it is, a measure of
// waiting, and not for the date.
type meter struct {
	mu     sync.Mutex // protects all below
	queues map[peer.ID]*backlog
	less   chan struct{} // closed when a queue got shorter; nil while nobody waits
}

// backlog counts what was queued less what was written. The first message on a stream is written without having been
// queued, so the count may be one too low.
type backlog struct {
	open    bool // there is a stream; messages may be queued before
	waiting int
	moved   time.Time // when it began or last got shorter
}

func newMeter() *meter { return &meter{queues: make(map[peer.ID]*backlog)} }

// opened is when there is a stream to p.
func (m *meter) opened(p peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue(p).open = true
}

// isOpen tells whether there is a stream to p.
func (m *meter) isOpen(p peer.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, ok := m.queues[p]
	return ok && q.open
}

func (m *meter) queue(p peer.ID) *backlog {
	q, ok := m.queues[p]
	if !ok {
		q = &backlog{}
		m.queues[p] = q
	}
	return q
}

func (m *meter) queued(p peer.ID, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue(p)
	if q.waiting <= 0 {
		q.moved = now
	}
	q.waiting++
}

func (m *meter) wrote(p peer.ID, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q, ok := m.queues[p]; ok {
		q.waiting--
		q.moved = now
		m.shorter()
	}
}

// gone forgets a queue that pubsub threw away.
func (m *meter) gone(p peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.queues, p)
	m.shorter()
}

func (m *meter) shorter() {
	if m.less != nil {
		close(m.less)
		m.less = nil
	}
}

// backlogs is how many messages wait, and in how many queues beyond what leaves room.
func (m *meter) backlogs() (messages, full int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.queues {
		messages += max(q.waiting, 0)
		if q.waiting >= sendRoom {
			full++
		}
	}
	return messages, full
}

// admit waits until there is room in the queues to the given peers: in all that still move, or after a while in most.
func (m *meter) admit(ctx context.Context, peers []peer.ID) error {
	began := time.Now()
	for {
		free, slow, less := m.look(peers, time.Now())
		waited := time.Since(began)
		switch {
		case free == len(peers), free > 0 && slow == 0, free > 0 && free >= slow && waited >= roomForAll:
			return nil
		case waited >= roomForHalf:
			return fmt.Errorf("%w: %d of %d", ErrBusy, len(peers)-free, len(peers))
		}
		if err := m.wait(ctx, less, waited); err != nil {
			return err
		}
	}
}

// look counts the queues with room, and those without that still move, and says when to look again.
func (m *meter) look(peers []peer.ID, now time.Time) (free, slow int, less <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range peers {
		q, ok := m.queues[p]
		switch {
		case !ok || q.waiting < sendRoom:
			free++
		case now.Sub(q.moved) < stalled:
			slow++
		}
	}
	if m.less == nil {
		m.less = make(chan struct{})
	}
	return free, slow, m.less
}

// wait returns when a queue got shorter or the time has come to be content with less.
func (m *meter) wait(ctx context.Context, less <-chan struct{}, waited time.Duration) error {
	next := roomForHalf
	if waited < roomForAll {
		next = roomForAll
	}
	t := time.NewTimer(min(next-waited, stalled))
	defer t.Stop()
	select {
	case <-less:
		return nil
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for room in the queues to the relays: %w", ctx.Err())
	}
}

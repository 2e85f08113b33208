package api

import (
	"context"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/starling-social/starling/node"
)

// Limits of what is watched at once. Each topic is a watch of the node, with some
// subscriptions; those who watch it cost a connection each.
const (
	maxTopics    = 256
	publicTopics = 192             // that strangers can fill; the rest is the owner's
	lingerTime   = 2 * time.Minute // that a topic goes on without watchers, who may come back
)

// hub is all that is watched. Many who watch the same share a watch of the node and one
// encoding of each event.
type hub struct {
	run uint64

	mu     sync.Mutex // protects all below
	topics map[string]*topic
	made   uint64 // topics so far
}

func newHub() *hub { return &hub{run: rand.Uint64(), topics: map[string]*topic{}} }

// topic is one watch of the node and what came of it.
type topic struct {
	stop    context.CancelFunc
	linger  *time.Timer
	watched int // protected by the hub's mutex

	mu    sync.Mutex // protects all below
	kept  *journal
	news  chan struct{} // closed, and another made, when something came
	ended *Problem      // why nothing more comes; nil while something may
}

// watching is a watch of the node, to its end.
type watching func(ctx context.Context) iter.Seq2[node.Event, error]

// join begins to watch the topic of a name, after the event of an id, until the caller
// leaves. If there is no such topic yet, it is begun, as one of those that run.
func (h *hub) join(stopping context.Context, name string, public bool, last string, watch watching, run *sync.WaitGroup) (*onlooker, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, ctx, err := h.topic(stopping, name, public)
	if err != nil {
		return nil, err
	}
	o := &onlooker{topic: t, leave: func() { h.leave(t) }}
	o.at, o.gap = t.begin(last) // before anything comes
	if ctx != nil {
		run.Go(func() {
			defer t.stop()
			why := t.hear(watch(ctx))
			h.forget(name, t) // first: whoever comes now begins anew
			t.end(why)
		})
	}
	t.watched++
	if t.linger != nil {
		t.linger.Stop()
		t.linger = nil
	}
	return o, nil
}

// topic is the one of a name. One that is new has a context to watch with.
func (h *hub) topic(stopping context.Context, name string, public bool) (*topic, context.Context, error) {
	if t := h.topics[name]; t != nil {
		return t, nil, nil
	}
	most, limit := maxTopics, limitTopics
	if public {
		most, limit = publicTopics, limitTopicsPublic
	}
	if len(h.topics) >= most && !h.dropIdle() {
		return nil, nil, over(limit, CodeBusy, "%d different things are being watched already", len(h.topics))
	}
	h.made++
	ctx, cancel := context.WithCancel(stopping)
	t := &topic{stop: cancel, kept: newJournal(h.run, h.made, time.Now()), news: make(chan struct{})}
	h.topics[name] = t
	return t, ctx, nil
}

// leave has a topic go on for a while if nobody is left.
func (h *hub) leave(t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.watched--; t.watched == 0 {
		t.linger = time.AfterFunc(lingerTime, func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			if t.watched == 0 {
				h.drop(t)
			}
		})
	}
}

// dropIdle makes room by ending a topic that nobody watches.
func (h *hub) dropIdle() bool {
	for _, t := range h.topics {
		if t.watched == 0 {
			h.drop(t)
			return true
		}
	}
	return false
}

// drop ends a topic, and with that its watch. Whoever comes back to it is told of a gap.
func (h *hub) drop(t *topic) {
	for name, other := range h.topics {
		if other == t {
			delete(h.topics, name)
		}
	}
	t.stop()
}

func (h *hub) forget(name string, t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics[name] == t {
		delete(h.topics, name)
	}
	if t.linger != nil {
		t.linger.Stop()
	}
}

// hear takes in what the node hears, until it does no more.
func (t *topic) hear(watched iter.Seq2[node.Event, error]) *Problem {
	for e, err := range watched {
		if err != nil {
			return problemOf(err)
		}
		t.mu.Lock()
		t.kept.append(e, time.Now())
		t.tell()
		t.mu.Unlock()
	}
	return problem(CodeStopping, "the node is stopping")
}

func (t *topic) end(why *Problem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = why
	t.tell()
}

// tell wakes all who wait for news.
func (t *topic) tell() {
	close(t.news)
	t.news = make(chan struct{})
}

// begin is [journal.begin].
func (t *topic) begin(last string) (mark, *Gap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept.begin(last)
}

// portion is what a watcher is to be written next.
type portion struct {
	text  string
	posts int
	news  <-chan struct{} // closed when there is more; of no use while there is text
	ended *Problem
}

// after is [journal.after], and what to wait for once all was heard.
func (t *topic) after(m *mark, posts int, why string) portion {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := portion{news: t.news}
	out.text, out.posts = t.kept.after(m, posts, why)
	if out.text == "" {
		out.ended = t.ended
	}
	return out
}

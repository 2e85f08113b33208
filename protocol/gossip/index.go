package gossip

import (
	"slices"
	"sync"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// index finds the subscriptions to a tag.
type index struct {
	mu    sync.RWMutex // protects byTag
	byTag map[records.Tag][]*Subscription
}

func newIndex() *index { return &index{byTag: make(map[records.Tag][]*Subscription)} }

func (x *index) add(s *Subscription) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, tag := range s.tags {
		if !slices.Contains(x.byTag[tag], s) {
			x.byTag[tag] = append(x.byTag[tag], s)
		}
	}
}

func (x *index) remove(s *Subscription) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, tag := range s.tags {
		rest := slices.DeleteFunc(x.byTag[tag], func(o *Subscription) bool { return o == s })
		if len(rest) == 0 {
			delete(x.byTag, tag)
			continue
		}
		x.byTag[tag] = rest
	}
}

// offer gives a record that passed on a shard to those subscribed to its tags there. Called only from pubsub's loop.
func (x *index) offer(shard byte, r *records.Record) {
	post, _, _ := r.Post()
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, tag := range post.Tags {
		found := x.byTag[tag]
		if len(found) == 0 || protocol.ShardOf(tag) != shard {
			continue
		}
		for _, s := range found {
			s.offer(r)
		}
	}
}

// recentSize is how many records may lie between the first and the last arrival of one on its several shards.
const recentSize = 4096

// recent remembers the last ids it was given. Used only from pubsub's loop.
type recent struct {
	known map[records.ID]struct{}
	order []records.ID // a ring once it is full
	next  int
}

func newRecent() *recent { return &recent{known: make(map[records.ID]struct{})} }

// add tells whether id is new.
func (s *recent) add(id records.ID) bool {
	if _, ok := s.known[id]; ok {
		return false
	}
	s.known[id] = struct{}{}
	if len(s.order) < recentSize {
		s.order = append(s.order, id)
		return true
	}
	delete(s.known, s.order[s.next])
	s.order[s.next] = id
	s.next = (s.next + 1) % recentSize
	return true
}

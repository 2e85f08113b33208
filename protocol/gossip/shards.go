package gossip

import (
	"fmt"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// shards are the network's topics and what this node does on each.
type shards struct {
	names [protocol.Shards]string

	// mu protects all below. It is held over calls that wait for pubsub's loop, so nothing that runs in the loop may
	// take it.
	mu     sync.Mutex
	pubsub *pubsub.PubSub // nil until Run
	states [protocol.Shards]state
}

// state is what this node does on one shard. Its zero value does nothing.
type state struct {
	topic    *pubsub.Topic // nil until first used; never closed, there are few
	relay    pubsub.RelayCancelFunc
	sub      *pubsub.Subscription // nil unless there are watchers
	watchers int
}

func newShards(n records.Network) (*shards, map[string]byte) {
	s := &shards{}
	of := make(map[string]byte, len(s.names))
	for i := range s.names {
		s.names[i] = protocol.Topic(n, byte(i))
		of[s.names[i]] = byte(i)
	}
	return s, of
}

func (s *shards) start(ps *pubsub.PubSub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pubsub = ps
}

// topic is the handle to a shard's topic.
func (s *shards) topic(shard byte) (*pubsub.Topic, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.topicLocked(shard)
}

func (s *shards) topicLocked(shard byte) (*pubsub.Topic, error) {
	st := &s.states[shard]
	if st.topic != nil {
		return st.topic, nil
	}
	topic, err := s.pubsub.Join(s.names[shard])
	if err != nil {
		return nil, fmt.Errorf("join shard %02x: %w", shard, err)
	}
	st.topic = topic
	return topic, nil
}

// setRelayed makes the node relay exactly the shards that wanted says.
func (s *shards) setRelayed(wanted func(shard byte) bool) error {
	for i := range s.states {
		shard := byte(i)
		if err := s.setRelay(shard, wanted(shard)); err != nil {
			return err
		}
	}
	return nil
}

func (s *shards) setRelay(shard byte, wanted bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.states[shard]
	if wanted == (st.relay != nil) {
		return nil
	}
	if !wanted {
		st.relay()
		st.relay = nil
		return nil
	}
	topic, err := s.topicLocked(shard)
	if err != nil {
		return err
	}
	if st.relay, err = topic.Relay(); err != nil {
		return fmt.Errorf("relay shard %02x: %w", shard, err)
	}
	return nil
}

// watch adds a watcher of a shard. Every record that passes on it is given to take, in pubsub's loop: pubsub asks a
// subscription's filter about each message as it passes, and a filter that takes the record there, into queues that
// never block, spares a goroutine and a second queue that could overflow.
func (s *shards) watch(shard byte, take func(shard byte, r *records.Record)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.states[shard]
	if st.sub == nil {
		topic, err := s.topicLocked(shard)
		if err != nil {
			return err
		}
		sub, err := topic.Subscribe(pubsub.WithBufferSize(0), pubsub.WithMessageFilter(func(msg *pubsub.Message) bool {
			if r, ok := msg.ValidatorData.(*records.Record); ok {
				take(shard, r)
			}
			return false
		}))
		if err != nil {
			return fmt.Errorf("subscribe to shard %02x: %w", shard, err)
		}
		st.sub = sub
	}
	st.watchers++
	return nil
}

// unwatch takes a watcher away; with the last one goes the subscription.
func (s *shards) unwatch(shard byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.states[shard]
	if st.watchers--; st.watchers == 0 {
		st.sub.Cancel()
		st.sub = nil
	}
}

// relayed are the shards that this node relays, watched those it has watchers of; ascending.
func (s *shards) inUse() (relayed, watched []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, st := range s.states {
		if st.relay != nil {
			relayed = append(relayed, byte(i))
		}
		if st.watchers > 0 {
			watched = append(watched, byte(i))
		}
	}
	return relayed, watched
}

func (s *shards) count() (relayed, watched int) {
	r, w := s.inUse()
	return len(r), len(w)
}

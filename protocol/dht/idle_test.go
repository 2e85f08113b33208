package dht_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libprotocol "github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// A bucket is refreshed once nobody has looked for anything in it for its period, thin
// ones sooner, those first that have waited longest; and not those in which the network
// is too small for anybody to be.
func TestVisits_due(t *testing.T) {
	t.Parallel()
	const k = 4
	fat := map[int]int{0: 40, 1: 20, 2: 10, 3: 8}
	thin := map[int]int{0: 40, 1: 7, 2: 10, 3: 8}
	for name, c := range map[string]struct {
		size   float64
		shared map[int]int
		seen   map[int]time.Duration // since something was last looked for there
		want   []int
	}{
		"nothing was looked for yet":      {80, fat, nil, []int{0, 1, 2, 3, 4}},
		"a small network has few":         {20, fat, nil, []int{0, 1, 2}},
		"somebody has just been there":    {80, fat, map[int]time.Duration{0: 0, 1: 19 * time.Minute, 2: 19 * time.Minute, 3: 0, 4: 0}, nil},
		"one was quiet for its period":    {80, fat, map[int]time.Duration{0: 0, 1: 20 * time.Minute, 2: 0, 3: 0, 4: 0}, []int{1}},
		"a thin one has a shorter one":    {80, thin, map[int]time.Duration{0: time.Minute, 1: 2 * time.Minute, 2: 3 * time.Minute, 3: 3 * time.Minute, 4: 0}, []int{1}},
		"who has waited longest is first": {80, fat, map[int]time.Duration{0: 21 * time.Minute, 1: 0, 2: time.Hour, 3: 0, 4: time.Minute}, []int{2, 0}},
	} {
		v := dht.NewVisits()
		for bucket, since := range c.seen {
			v.Note(bucket, noon.Add(-since))
		}
		if got := v.Due(c.shared, c.size, k, noon); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A bucket that stays as thin as it was is refreshed ever more rarely, until it loses or
// gains somebody.
func TestVisits_thin(t *testing.T) {
	t.Parallel()
	const k = 4
	v, last := dht.NewVisits(), noon
	for i, c := range []struct {
		nodes int
		after time.Duration
	}{{3, 2 * time.Minute}, {3, 4 * time.Minute}, {3, 8 * time.Minute}, {3, 16 * time.Minute}, {3, 20 * time.Minute}, {3, 20 * time.Minute}, {2, 2 * time.Minute}, {2, 4 * time.Minute}, {8, 20 * time.Minute}} {
		v.Note(0, last)
		v.Note(1, last.Add(time.Hour)) // the other one that there is
		due := func(after time.Duration) bool {
			return len(v.Due(map[int]int{0: c.nodes}, 2*k, k, last.Add(after))) > 0
		}
		if due(c.after-time.Second) || !due(c.after) {
			t.Errorf("%d: %d nodes are not refreshed after %s", i, c.nodes, c.after)
		}
		last = last.Add(c.after)
	}
}

// Over hours in which nothing happens every bucket with somebody in it sees a question for
// a key in it within its period, and everybody near to us is asked each round. Where
// somebody looks for something now and then, nothing is asked besides.
func TestRun_refreshesIdleBuckets(t *testing.T) {
	const passed = 70 * time.Minute
	inBubble(t, records.Params{Neighbourhood: 1}, func(t *testing.T, n *testNet) {
		first := n.grow(11)
		log := &questions{}
		watched := n.add(func(c *dht.Config) {
			through(first)(c)
			c.Host = watchedHost{c.Host, log}
		})
		n.eventually(time.Minute, n.settled)
		pass(time.Minute)
		ground := max(0, watched.Prefix()-1) // nearer ones are seen by who looks for himself
		if ground < 2 {
			t.Fatalf("only %d buckets lie outside of what a node always sees", ground)
		}
		began := time.Now()
		log.reset()
		pass(passed)
		idle := log.reset()
		const round = dht.SlowPace * 12 / 10
		for bucket := range ground {
			if gap := idle.longest(began, func(q asked) bool { return q.shared(watched.at) == bucket }); gap > dht.RefreshAge+2*round {
				t.Errorf("nobody asked for a key in bucket %d for %s", bucket, gap)
			}
		}
		for p, node := range n.nodes {
			if shared := watched.at.SharedBits(node.at); node == watched || shared < ground {
				continue
			}
			if gap := idle.longest(began, func(q asked) bool { return q.to == p }); gap > 2*round {
				t.Errorf("a node that shares %d bits was not asked for %s", watched.at.SharedBits(node.at), gap)
			}
		}
		rounds, keys := idle.keys(watched.host.ID())
		if most := rounds + ground*int(passed/dht.RefreshAge+1); keys > most {
			t.Errorf("idle, it asked for %d keys, want at most %d: one a round, and a refresh of %d buckets", keys, most, ground)
		}

		var meanwhile questionsOf // somebody looks for something in each bucket now and then
		for range passed / (10 * time.Minute) {
			for bucket := range ground {
				if _, err := watched.Members(t.Context(), dht.Sibling(watched.at, bucket).Prefix()); err != nil {
					t.Fatal(err)
				}
			}
			log.reset()
			pass(10 * time.Minute)
			meanwhile = append(meanwhile, log.reset()...)
		}
		rounds, keys = meanwhile.keys(watched.host.ID())
		if keys > rounds+1 { // the first may begin before the rest of its round
			t.Errorf("busy, it asked for %d keys besides those that somebody looked for, want at most one in each of %d rounds", keys, rounds)
		}
	})
}

// asked is a question for the nodes nearest to a key, as it went over the wire.
type asked struct {
	at  time.Time
	to  peer.ID
	key string
}

func (q asked) shared(self records.Coordinate) int {
	return self.SharedBits(sha256.Sum256([]byte(q.key)))
}

// questions are those that a node asked, in their order.
type questions struct {
	mu  sync.Mutex // protects all
	all questionsOf
}

type questionsOf []asked

// reset forgets all questions so far and returns them.
func (l *questions) reset() questionsOf {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// longest is the longest time since a moment in which no such question was asked.
func (l questionsOf) longest(since time.Time, such func(asked) bool) (gap time.Duration) {
	for _, q := range l {
		if such(q) {
			gap, since = max(gap, q.at.Sub(since)), q.at
		}
	}
	return max(gap, time.Since(since))
}

// keys are for how many keys was asked, and how often for oneself.
func (l questionsOf) keys(self peer.ID) (rounds, keys int) {
	known := map[string]bool{}
	last := time.Time{}
	for _, q := range l {
		switch {
		case q.key == string(self):
			if q.at.Sub(last) > dht.SlowPace/4 {
				rounds++
			}
			last = q.at
		case !known[q.key]:
			known[q.key] = true
			keys++
		}
	}
	return rounds, keys
}

// A watchedHost is a host that notes what is asked through it.
type watchedHost struct {
	host.Host
	log *questions
}

func (h watchedHost) NewStream(ctx context.Context, p peer.ID, ids ...libprotocol.ID) (network.Stream, error) {
	s, err := h.Host.NewStream(ctx, p, ids...)
	if err != nil || !strings.HasSuffix(string(ids[0]), "/kad/1.0.0") {
		return s, err
	}
	return &watchedStream{Stream: s, log: h.log}, nil
}

// A watchedStream reads along what is written, message by message.
type watchedStream struct {
	network.Stream
	log  *questions
	rest []byte
}

func (s *watchedStream) Write(b []byte) (int, error) {
	s.rest = append(s.rest, b...)
	for {
		size, n := binary.Uvarint(s.rest)
		if n <= 0 || len(s.rest) < n+int(size) {
			return s.Stream.Write(b)
		}
		var m kadpb.Message
		if err := proto.Unmarshal(s.rest[n:n+int(size)], &m); err == nil {
			s.log.note(asked{time.Now(), s.Conn().RemotePeer(), string(m.GetKey())}, m.GetType())
		}
		s.rest = s.rest[n+int(size):]
	}
}

func (l *questions) note(q asked, what kadpb.Message_MessageType) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if what == kadpb.Message_FIND_NODE || what == kadpb.Message_PING {
		l.all = append(l.all, q)
	}
}

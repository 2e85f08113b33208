package node_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// Givers counts the buckets of one place that each node of a network gives to
// others, with records and without.
type givers struct {
	mu    sync.Mutex
	place records.Place // of which
	full  map[int]int
	bare  map[int]int
}

func (c *givers) watch(i int) func(node.ServedStore) node.ServedStore {
	return func(s node.ServedStore) node.ServedStore { return watched{s, c, i} }
}

type watched struct {
	node.ServedStore
	givers *givers
	node   int
}

func (s watched) Bucket(q records.Query) (records.Bucket, error) {
	s.givers.mu.Lock()
	switch {
	case q.Place != s.givers.place:
	case q.Print:
		s.givers.bare[s.node]++
	default:
		s.givers.full[s.node]++
	}
	s.givers.mu.Unlock()
	return s.ServedStore.Bucket(q)
}

// of begins to count anew, of a place.
func (c *givers) of(p records.Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.place, c.full, c.bare = p, map[int]int{}, map[int]int{}
}

// served are the buckets with records that some nodes gave, and the most that one did.
func (c *givers) served(nodes []*nodetest.Node) (all, busiest, bare int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range nodes {
		all += c.full[x.Index]
		busiest = max(busiest, c.full[x.Index])
		bare += c.bare[x.Index]
	}
	return all, busiest, bare
}

// hotMonth is a month of a hashtag, and those who hold it and who do not.
type hotMonth struct {
	net              *nodetest.Network
	tag              string
	place            records.Place
	posts            int
	members, readers []*nodetest.Node
}

// newHotMonth is a month with so many posts, which at least so many nodes do not
// hold. How the ring is divided is up to their ids: of some seeds there is none.
func newHotMonth(ctx context.Context, t *testing.T, net *nodetest.Network, posts, readers int) hotMonth {
	t.Helper()
	for i := range 100 {
		m := hotMonth{net: net, tag: fmt.Sprintf("hot%d", i)}
		if m.publish(ctx, t); len(m.strangers(t)) < readers {
			continue
		}
		for m.posts < posts {
			m.publish(ctx, t)
		}
		m.readers = m.strangers(t)
		for _, x := range net.Nodes {
			if !slices.Contains(m.readers, x) {
				m.members = append(m.members, x)
			}
		}
		return m
	}
	t.Fatal("everybody holds everything: nothing to show")
	return hotMonth{}
}

// strangers are those who neither hold the month nor have anything of it.
func (m *hotMonth) strangers(t *testing.T) (out []*nodetest.Node) {
	t.Helper()
	for _, x := range m.net.Nodes {
		if n, err := x.Stored(m.place); err != nil {
			t.Fatal(err)
		} else if n == 0 && !x.Member(m.place) {
			out = append(out, x)
		}
	}
	return out
}

func (m *hotMonth) publish(ctx context.Context, t *testing.T) {
	t.Helper()
	r := publish(ctx, t, m.net.Nodes[0], node.Draft{Text: fmt.Sprintf("post %d #%s", m.posts, m.tag)})
	m.place = records.TagPlace(records.Tag(m.tag)).At(records.LevelMonth, r)
	m.posts++
}

// read has every reader read the month so many times, all of it within a time each.
func (m hotMonth) read(ctx context.Context, rounds int, each time.Duration) error {
	for range rounds {
		for _, x := range m.readers {
			b, err := x.ReadPlace(ctx, m.place)
			if err != nil || len(b.Records) != m.posts {
				return fmt.Errorf("node %d reads %d of %d posts, %w", x.Index, len(b.Records), m.posts, err)
			}
			m.net.Pass(each / time.Duration(len(m.readers)))
		}
	}
	return nil
}

// Many read one place over and over. Once others keep copies, members give far fewer
// buckets with records, the busiest of them too, and nobody misses a post: neither
// when members got more meanwhile nor while all copies lie about what they hold.
// When nobody reads any more, the copies are gone, and with them all that was kept.
func TestHot_relieved(t *testing.T) {
	c, nodes, reads := &givers{}, 36, 1000
	if smaller() {
		nodes, reads = 24, 100
	}
	simulate(t, nodetest.Config{
		Nodes: nodes, Links: nodetest.LinksConfig{Seed: 30},
		Tune: func(i int, config *node.Config) { config.HotReaders, config.Serve = 8, c.watch(i) },
	}, func(ctx context.Context, net *nodetest.Network) {
		m := newHotMonth(ctx, t, net, 20, nodes*2/5)
		m.cache(0)
		without := m.count(ctx, t, c, reads/5, time.Second)
		m.cache(1 << 20)
		m.count(ctx, t, c, 6*len(m.readers), 5*time.Second) // until copies are made
		with := m.count(ctx, t, c, reads, time.Second)
		t.Logf("without copies: %s", without)
		t.Logf("with copies:    %s", with)
		if with.share > without.share/2 || with.members > without.members/2 {
			t.Error("members are not relieved")
		}
		if copies := m.copies(); copies < 2 {
			t.Errorf("%d copies", copies)
		}

		m.publish(ctx, t)
		t.Logf("one post later: %s", m.count(ctx, t, c, 4*len(m.readers), time.Second))

		for _, lie := range []nodetest.Lie{nodetest.Empty(), nodetest.Withhold(func(r *records.Record) bool { return r.ItemKey()[0] < 128 })} {
			for _, x := range m.readers {
				x.Lie(lie)
			}
			t.Logf("copies lie:     %s", m.count(ctx, t, c, 4*len(m.readers), time.Second))
		}

		if smaller() {
			return
		}
		net.Pass(7 * time.Minute)
		if copies, stored := m.copies(), m.stored(t); copies+stored != 0 {
			t.Errorf("later %d copies are left, and %d posts in them", copies, stored)
		}
	})
}

// cache gives every reader a budget for copies.
func (m hotMonth) cache(bytes int64) {
	for _, x := range m.readers {
		x.SetCache(bytes)
	}
}

// copies are how many places the readers keep copies of.
func (m hotMonth) copies() (n int) {
	for _, x := range m.readers {
		n += x.Status().Cached
	}
	return n
}

// stored are how many posts of the month the readers store.
func (m hotMonth) stored(t *testing.T) (all int) {
	t.Helper()
	for _, x := range m.readers {
		n, err := x.Stored(m.place)
		if err != nil {
			t.Fatal(err)
		}
		all += n
	}
	return all
}

// served is who gave buckets with records to those who read, for each time that one
// did.
type served struct {
	reads          int
	members, share float64 // by all members, by the busiest of them
	copies, bare   float64 // by all copies; fingerprints, by members
}

func (s served) String() string {
	return fmt.Sprintf("%d reads, for each members give %.2f buckets, the busiest %.2f, copies %.2f; and %.1f fingerprints",
		s.reads, s.members, s.share, s.copies, s.bare)
}

// count has the readers read so many times, every one of them once within a time,
// and counts who serves them.
func (m hotMonth) count(ctx context.Context, t *testing.T, c *givers, reads int, each time.Duration) served {
	t.Helper()
	rounds := (reads + len(m.readers) - 1) / len(m.readers)
	c.of(m.place)
	if err := m.read(ctx, rounds, each); err != nil {
		t.Fatal(err)
	}
	reads = rounds * len(m.readers)
	share := func(n int) float64 { return float64(n) / float64(reads) }
	all, busiest, bare := c.served(m.members)
	copies, _, _ := c.served(m.readers)
	return served{reads: reads, members: share(all), share: share(busiest), copies: share(copies), bare: share(bare)}
}

package node_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// A tally counts what the members of places are asked.
type tally struct {
	mu      sync.Mutex // protects all below
	queries int
	puts    map[put]int
	below   map[put]int // that were answered "below"
}

// A put is one writer's to a member of a place, of what belongs to one child.
type put struct {
	member       int
	author       records.User
	place, child records.Place
}

func newTally() *tally { return &tally{puts: map[put]int{}, below: map[put]int{}} }

// counted is a store that counts; what it answers is the truth.
type counted struct {
	node.ServedStore
	tally  *tally
	member int
}

// watch counts what is asked of every node from now on.
func (c *tally) watch(net *nodetest.Network) {
	for _, x := range net.Running() {
		x.Lie(func(truth node.ServedStore) node.ServedStore { return &counted{truth, c, x.Index} })
	}
}

func (c *counted) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	out, err := c.ServedStore.Merge(ctx, puts)
	c.tally.mu.Lock()
	defer c.tally.mu.Unlock()
	for i, p := range puts {
		k := put{c.member, p.Record.Author(), p.Place, p.Place.ChildFor(p.Record)}
		c.tally.puts[k]++
		if out[i].Status == records.Below {
			c.tally.below[k]++
		}
	}
	return out, err
}

func (c *counted) Bucket(q records.Query) (records.Bucket, error) {
	c.tally.mu.Lock()
	c.tally.queries++
	c.tally.mu.Unlock()
	return c.ServedStore.Bucket(q)
}

// total is how many puts were counted, and how many queries.
func (c *tally) total() (puts, queries int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.puts {
		puts += n
	}
	return puts, c.queries
}

// Many writers write to one tag at once. Each learns after a put or two that the
// month is full and goes straight to the places below, so that no member of the
// month is hammered, whatever is written.
func TestPublish_sparesTheMonth(t *testing.T) {
	writers, posts := 100, 6
	if smaller() {
		writers = 15
	}
	network := shallow(t, 4, 8)
	simulate(t, crowd(network, 0, 50), func(ctx context.Context, net *nodetest.Network) {
		count := newTally()
		count.watch(net)
		var all errgroup.Group
		for w := range writers {
			s := newScribe(t, network, byte(w+1))
			all.Go(func() error {
				for i := range posts {
					r := s.post(time.Now(), fmt.Sprint(w, " ", i), "busy")
					if _, err := net.Nodes[w%holders].PublishRecord(ctx, r, nil); err != nil {
						return err
					}
					net.Pass(time.Duration(20+w) * time.Millisecond)
				}
				return nil
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		worst, sum, members := 0, 0, map[int]bool{}
		for p, n := range count.below {
			if p.place.Kind() == records.PlaceTag && p.place.Level() == records.LevelMonth {
				worst, sum = max(worst, n), sum+n
				members[p.member] = true
			}
		}
		t.Logf("%d writers, %d posts each: a member of the month was told of %.1f posts a writer that belong below, at most %d",
			writers, posts, float64(sum)/float64(len(members)*writers), worst)
		if worst > 3 {
			t.Errorf("a writer put %d posts to a member of the month that belong to one child, want at most 3", worst)
		}
		if got := texts(ctx, t, net.Nodes[1], node.TagSource("busy"), 50); len(got) != writers*posts {
			t.Errorf("%d of %d posts are read", len(got), writers*posts)
		}
	})
}

// When everything is where it belongs and nobody comes or goes, holders ask each
// other nothing.
func TestCarry_restIsQuiet(t *testing.T) {
	network := shallow(t, 4, 3)
	simulate(t, crowd(network, 0, 51), func(ctx context.Context, net *nodetest.Network) {
		count := newTally()
		count.watch(net)
		s := newScribe(t, network, 1)
		start := time.Now().AddDate(0, -2, 0)
		for i := range 12 {
			write(ctx, t, net.Nodes[i], s.post(start.Add(-time.Duration(i)*time.Hour), fmt.Sprint(i), "sky"), nil)
		}
		written, _ := count.total()
		net.Pass(3 * time.Minute)
		settled, asked := count.total()
		sent := net.Links.Stats()
		const rest = 5 * time.Minute
		net.Pass(rest)
		puts, queries := count.total()
		t.Logf("12 late posts: %d puts to be written and carried, then %d puts and %d queries to see that they are where they belong; in %s of rest %d puts, %d queries, %d bytes a node and second of everything",
			written, settled-written, asked, rest, puts-settled, queries-asked, int((net.Links.Stats().Bytes-sent.Bytes)/int64(rest/time.Second)/holders))
		if puts != settled || queries != asked {
			t.Errorf("at rest holders put %d records and ask %d questions, want none", puts-settled, queries-asked)
		}
	})
}

// forgetful says that it bears witness, and does not.
type forgetful struct{ node.ServedStore }

func (f forgetful) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	out := make([]records.Outcome, len(puts))
	for i, p := range puts {
		if out[i].Status = records.Below; p.Place.Level() >= records.LevelMonth {
			stored, err := f.ServedStore.Merge(ctx, puts[i:i+1])
			if err != nil {
				return nil, err
			}
			out[i] = stored[0]
		}
	}
	return out, nil
}

// A place that its parent does not know of is found by nobody. Its holders offer it
// to the parent, and that one is offered to the root in turn.
func TestOffer_parentsLearn(t *testing.T) {
	network := shallow(t, 4, 3)
	simulate(t, crowd(network, 0, 52), func(ctx context.Context, net *nodetest.Network) {
		net.Pass(time.Minute) // what everybody holds is offered once they have found each other
		for _, x := range net.Nodes {
			x.Lie(func(truth node.ServedStore) node.ServedStore { return forgetful{truth} })
		}
		s := newScribe(t, network, 1)
		r := s.post(time.Now().AddDate(0, -3, 0), "lost and found", "sky")
		write(ctx, t, net.Nodes[0], r, nil)
		for _, x := range net.Nodes {
			x.Lie(nil)
		}
		if got := texts(ctx, t, net.Nodes[1], node.TagSource("sky"), 50); len(got) != 0 {
			t.Fatalf("node 1 reads %q of what nobody witnesses", got)
		}
		net.Pass(4 * time.Minute)
		for _, x := range net.Nodes {
			if got := texts(ctx, t, x, node.TagSource("sky"), 50); !slices.Equal(got, []string{"lost and found"}) {
				t.Errorf("node %d reads %q", x.Index, got)
			}
		}
		checkTree(t, net, []*records.Record{r})
	})
}

// A writer who knows that a month is witnessed stops at none of the places above it.
// When his record is older than the witness, the holders see to it that it takes the
// witness's place.
func TestOffer_olderThanTheWitness(t *testing.T) {
	network := shallow(t, 4, 3)
	simulate(t, crowd(network, 1, 53), func(ctx context.Context, net *nodetest.Network) {
		s := newScribe(t, network, 1)
		start := time.Now().AddDate(0, -2, 0)
		rs := []*records.Record{s.post(start, "first", "sky")}
		write(ctx, t, net.Nodes[0], rs[0], nil)
		net.Pass(3 * time.Minute) // everything has been offered
		writer := net.Nodes[holders]
		texts(ctx, t, writer, node.TagSource("sky"), 50)
		rs = append(rs, s.post(start.Add(-time.Hour), "older", "sky"))
		write(ctx, t, writer, rs[1], nil)
		if len(net.Audit(rs)) == 0 {
			t.Error("the root's witness is the older one at once: this shows nothing")
		}
		net.Pass(4 * time.Minute)
		checkTree(t, net, rs)
	})
}

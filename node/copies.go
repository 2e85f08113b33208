package node

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/starling-social/starling/records"
)

// copies knows which places of followed trees this node keeps a copy of, and
// whether a copy still says all that the members of its place would.
//
// The copies lie in the ordinary store, at the places themselves; here is only
// what was learnt about them. It is kept in memory, so that after a restart
// nothing is fresh until it is compared again. A copy is fresh, and its members
// need not be asked, while all of this holds:
//
//   - its tree is followed, and every way by which we hear of the tree has been
//     open since before the comparison, so what arrived since is merged into it;
//   - the whole of it, not a page, was compared with its members less than
//     freshFor ago: each gave the fingerprint of the copy, or its records were
//     merged into it;
//   - every place above was compared since the tree is heard. An arrival comes to
//     rest in the first copy on its way down that has room, and one that is not
//     whole has room where the members have none: only below places that are
//     known whole is it certain that everything went as far as it should.
//
// So what no way told us of, though they were open, is hidden for at most freshFor:
// posts dated back, which are not announced with their hashtags, and what a majority
// took but none of those whom we hear.
//
// Whoever reads takes, of a place that keeps tells of, the store's answer as that
// of one more member, which needs no others if it is fresh. After it compared the
// whole of a place (before the newest position, up to the capacity, and nobody had
// more) it gives the union to [Node.keep].
//
// It is safe for concurrent use.
type copies struct {
	writing  sync.RWMutex                             // held for reading while copies are written; unfollow awaits that
	mu       sync.Mutex                               // protects all below
	since    map[records.Place]time.Time              // of every followed root, from when on all that arrives is heard; zero: it is not
	compared *simplelru.LRU[records.Place, time.Time] // when members were asked for what the copy was then made equal to
}

const (
	freshFor   = 5 * time.Minute
	copiesSize = 1 << 15 // places that are known to be compared, 200 bytes each; forgetting one costs a comparison
)

func newCopies() *copies {
	compared, err := simplelru.NewLRU[records.Place, time.Time](copiesSize, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &copies{since: map[records.Place]time.Time{}, compared: compared}
}

// keeps tells whether copies of a place are kept: whether its tree is followed.
func (c *copies) keeps(p records.Place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, kept := c.since[p.Root()]
	return kept
}

// fresh tells whether the store's copy of a place says all that its members would.
// None is within a context that is [doubting].
func (c *copies) fresh(ctx context.Context, p records.Place, now time.Time) bool {
	if ctx.Value(doubt{}) != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	asked, whole := c.whole(p)
	for up, below := p.Parent(); below && whole; up, below = up.Parent() {
		_, whole = c.whole(up)
	}
	return whole && now.Sub(asked) < freshFor
}

// knows tells whether the copy of a place was compared before, however long ago.
func (c *copies) knows(p records.Place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.compared.Contains(p)
}

// whole is when the copy of p was last compared, if that was since p is heard.
func (c *copies) whole(p records.Place) (asked time.Time, ok bool) {
	since := c.since[p.Root()]
	asked, ok = c.compared.Get(p)
	return asked, ok && !since.IsZero() && !asked.Before(since)
}

// doubt is the key of a context's doubts.
type doubt struct{}

// doubting is a context in which no copy is fresh: what is read in it is compared.
func doubting(ctx context.Context) context.Context { return context.WithValue(ctx, doubt{}, true) }

// compare notes that the copy of a place holds all that its members gave when they
// were asked.
func (c *copies) compare(p records.Place, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, kept := c.since[p.Root()]; !kept {
		return
	}
	if before, known := c.compared.Peek(p); !known || before.Before(asked) {
		c.compared.Add(p, asked)
	}
}

// spoil notes that the copy of a place is not what it was, because the disk lost
// something of it, so that it and all below are compared again.
func (c *copies) spoil(p records.Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.compared.Remove(p)
}

// follow begins to keep copies of a tree, which is not heard yet.
func (c *copies) follow(root records.Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, kept := c.since[root]; !kept {
		c.since[root] = time.Time{}
	}
}

// unfollow ends that. When it returns, no copy of the tree is written any more and
// all of them can be dropped.
func (c *copies) unfollow(root records.Place) {
	c.forget(root)
	c.writing.Lock() // those who found it followed are done now
	defer c.writing.Unlock()
}

func (c *copies) forget(root records.Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.since, root)
	for _, p := range c.compared.Keys() {
		if p.Root() == root {
			c.compared.Remove(p)
		}
	}
}

// heard notes that all that arrives in a followed tree is heard from now on. What
// was compared before counts no more.
func (c *copies) heard(root records.Place, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, kept := c.since[root]; kept {
		c.since[root] = now
	}
}

// broken notes that something may arrive in a tree, or has, that we do not hear.
func (c *copies) broken(root records.Place) { c.heard(root, time.Time{}) }

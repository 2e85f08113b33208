package node

import (
	"context"
	"strconv"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// Tasks is what owns background work.
type Tasks struct{ tasks tasks }

func (t *Tasks) Start(ctx context.Context, timeout time.Duration, f func(ctx context.Context)) bool {
	return t.tasks.start(ctx, timeout, f)
}

func (t *Tasks) Close() { t.tasks.close() }

// Copies is what a node knows of its copies of followed trees.
type Copies struct{ copies *copies }

func NewCopies() Copies { return Copies{newCopies()} }

func (c Copies) Follow(root records.Place)                { c.copies.follow(root) }
func (c Copies) Unfollow(root records.Place)              { c.copies.unfollow(root) }
func (c Copies) Heard(root records.Place, now time.Time)  { c.copies.heard(root, now) }
func (c Copies) Broken(root records.Place)                { c.copies.broken(root) }
func (c Copies) Compare(p records.Place, asked time.Time) { c.copies.compare(p, asked) }
func (c Copies) Spoil(p records.Place)                    { c.copies.spoil(p) }
func (c Copies) Keeps(p records.Place) bool               { return c.copies.keeps(p) }
func (c Copies) Fresh(p records.Place, now time.Time) bool {
	return c.copies.fresh(context.Background(), p, now)
}

func (c Copies) Doubted(p records.Place, now time.Time) bool {
	return !c.copies.fresh(doubting(context.Background()), p, now)
}

// Step is where a record that was put to p goes next, by what p's members did, when
// the round was repeated again times before; done where it goes no further.
func Step(p records.Place, r *records.Record, members, stored, below, lost, again int) (at records.Place, done bool) {
	d := &descent{record: r, root: p.Root(), at: p, again: again}
	d.learn(tally{members: members, stored: stored, below: below, lost: lost})
	return d.at, d.done
}

// StepThin is the same where all of too few members stored it and others were none.
func StepThin(p records.Place, r *records.Record, members, again int) (at records.Place, done bool) {
	d := &descent{record: r, root: p.Root(), at: p, again: again}
	d.learn(tally{members: members, stored: members, lost: 1, thin: true})
	return d.at, d.done
}

// StepDisputed is where a record goes next that a majority of p's members stored, while so
// many of the core say that it belongs below; and where it is in the end, when there then
// so many of as many stored it.
func StepDisputed(p records.Place, r *records.Record, members, core, coreBelow, storedBelow int) (next, end records.Place) {
	d := &descent{record: r, root: p.Root(), at: p}
	d.learn(tally{members: members, stored: majority(members), below: members - majority(members), core: make([]peer.ID, core), coreBelow: coreBelow})
	if next = d.at; !d.done {
		d.learn(tally{members: members, stored: storedBelow})
	}
	return next, d.at
}

// CoreOf is the core of a place's members.
func CoreOf(members []peer.ID, c records.Coordinate, k int) []peer.ID { return coreOf(members, c, k) }

// Member tells whether a node holds a place, or would if its region were a bit larger.
func (n *Node) Member(p records.Place) bool { return n.server.Member(p.Coordinate()) }

// ReadPlace reads one place whole, as the reading of a timeline does.
func (n *Node) ReadPlace(ctx context.Context, p records.Place) (records.Bucket, error) {
	buckets, errs := n.read(ctx, []records.Query{{Place: p, Before: records.Newest, Limit: n.config.Network.Capacity(p)}})
	return buckets[0], errs[0]
}

// SetCache changes the budget of a node that was made with one.
func (n *Node) SetCache(bytes int64) {
	n.cache.mu.Lock()
	defer n.cache.mu.Unlock()
	n.cache.budget = bytes
}

// Stored is how many records of a place lie in a node's store.
func (n *Node) Stored(p records.Place) (count int, err error) {
	b, err := n.store.Bucket(records.Query{Place: p, Before: records.Newest, Limit: n.config.Network.Capacity(p)})
	return len(b.Records) + len(b.Witnesses), err
}

// Hot is what a node was told of hot places.
type Hot struct{ h *hot }

func NewHot(n records.Network, self peer.ID) Hot { return Hot{newHot(n, self)} }

func (h Hot) Saw(p records.Place, a exchange.Answer, now time.Time) bool { return h.h.saw(p, a, now) }
func (h Hot) Is(p records.Place, now time.Time) bool                     { return h.h.is(p, now) }
func (h Hot) Doubt(p records.Place, id peer.ID)                          { h.h.doubt(p, id) }

func (h Hot) Copies(p records.Place, now time.Time) []peer.AddrInfo { return h.h.copies(p, now) }

// HotPerPlace is how many copies of one place are known at most.
const HotPerPlace = hotPerPlace

// Cache is which copies a node keeps.
type Cache struct{ c *cache }

func NewCache(budget int64) Cache { return Cache{newCache(budget)} }

func (c Cache) Begin(p records.Place, now time.Time) bool { return c.c.begin(p, now, now) }
func (c Cache) Fill(p records.Place, bytes int64) bool    { return c.c.fill(p, bytes) }
func (c Cache) End(p records.Place, now time.Time)        { c.c.end(p, now) }
func (c Cache) Keeps(p records.Place) bool                { return c.c.keeps(p) }
func (c Cache) Size() (places int, bytes int64)           { return c.c.size() }

// Bounds of a Cache.
const (
	CachePlaces = cachePlaces
	CacheCalm   = cacheCalm
)

// CopyKey is where a store remembers that a place is a copy.
func CopyKey(p records.Place) ds.Key { return copyKey(p) }

// StoreOf is what a node that does not run keeps in db.
func StoreOf(db *datastore.Store, owner records.User, now func() time.Time) *Store {
	return &Store{
		db: db, network: db.Network(), owner: owner, now: now, changed: func() {},
		open: func(b []byte, now time.Time) (*records.Record, error) { return records.Open(b, db.Network(), now) },
	}
}

// Dial connects to a node.
func (n *Node) Dial(ctx context.Context, addrs []string) error {
	infos, err := addrInfos(addrs)
	if err != nil {
		return err
	}
	return n.host.Connect(ctx, infos[0])
}

// Announced is what others are told of where a node is.
func (n *Node) Announced() []string {
	var out []string
	for _, a := range n.host.Addrs() {
		out = append(out, a.String())
	}
	return out
}

// GossipPenalty is what gossip takes off the score of p for what it did elsewhere.
func (n *Node) GossipPenalty(p peer.ID) float64 { return n.standing(p) }

// MembersOf are the members of a place, as far as the node knows.
func (n *Node) MembersOf(ctx context.Context, p records.Place) ([]peer.ID, error) {
	return n.members(ctx, p)
}

// Promises are the keys of a node that publishes nothing.
type Promises struct{ *promises }

// NewPromises has none yet.
func NewPromises(t *testing.T) Promises {
	return Promises{}.on(t, ds.NewMapDatastore())
}

func (p Promises) on(t *testing.T, store ds.Batching) Promises {
	t.Helper()
	opened, err := openPromises(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	return Promises{opened}
}

// Reopened is what a node finds that is started on the same store.
func (p Promises) Reopened(t *testing.T) Promises { return p.on(t, p.store) }

// Of tells whether a key was known.
func (p Promises) Of(t *testing.T, key int, now time.Time) (known bool) {
	t.Helper()
	_, known, err := p.of(t.Context(), strconv.Itoa(key), [32]byte{}, now)
	if err != nil {
		t.Fatal(err)
	}
	return known
}

// Len is how many keys are remembered.
func (p Promises) Len() int { return len(p.all) }

// Trim closes connections down to what a node may keep.
func (n *Node) Trim(ctx context.Context) { n.host.ConnManager().TrimOpenConns(ctx) }

// Connected tells whether there is a connection to p.
func (n *Node) Connected(p peer.ID) bool {
	return n.host.Network().Connectedness(p) == network.Connected
}

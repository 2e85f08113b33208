// Package siege puts and reads in two networks under the same attack: in ours, with
// whole nodes, and in one of go-libp2p-kad-dht as the library comes. Both have the
// same number of nodes with the same ids, and what is stored has the same coordinate.
//
// It owns the two networks; who attacks is for the campaign.
package siege

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/colony"
	"github.com/starling-social/starling/scripts/internal/stock"
)

const (
	latency = 25 * time.Millisecond // of every link, one way
	readers = 3                     // of each key
)

// Count is what came of puts and reads.
type Count struct {
	Puts   int // tried
	Stored int // said to be stored
	Reads  int
	Found  int
	False  int // said to be stored, and not found by every reader
}

// Add adds up.
func (c *Count) Add(d Count) {
	c.Puts, c.Stored, c.Reads, c.Found, c.False = c.Puts+d.Puts, c.Stored+d.Stored, c.Reads+d.Reads, c.Found+d.Found, c.False+d.False
}

// Read is the share of reads that found what was put.
func (c Count) Read() float64 { return float64(c.Found) / float64(c.Reads) }

// Kept is the share of puts that were said to be stored.
func (c *Count) Kept() float64 { return float64(c.Stored) / float64(c.Puts) }

// Lied is the share of puts said to be stored that not every reader found.
func (c Count) Lied() float64 {
	if c.Stored == 0 {
		return 0
	}
	return float64(c.False) / float64(c.Stored)
}

// Size is how large a siege is, as the command line has it.
type Size struct {
	Nodes, Neighbourhood, Keys, Rounds int

	Only string // the part to run; all when empty
}

// Flags declares them; 0 and "" leave the campaign its own.
func (s *Size) Flags(f *flag.FlagSet) {
	f.IntVar(&s.Nodes, "nodes", 0, "honest and other `nodes` of each network, for a size of one's own")
	f.IntVar(&s.Neighbourhood, "k", 0, "the least `nodes` of a neighbourhood, likewise")
	f.IntVar(&s.Keys, "keys", 0, "`keys` of each round, likewise")
	f.IntVar(&s.Rounds, "rounds", 0, "`rounds`, each with networks of its own, likewise")
	f.StringVar(&s.Only, "only", "", "run one `part` alone, by the first cell of its row")
}

// Spacious lets the heap of a simulation grow to five times what is in use before it is
// swept: a third less work for about 1.5 GB at a hundred nodes.
func Spacious() { debug.SetGCPercent(400) }

// Or is the size with what it leaves open as in other.
func (s Size) Or(other Size) Size {
	return Size{
		cmp.Or(s.Nodes, other.Nodes), cmp.Or(s.Neighbourhood, other.Neighbourhood),
		cmp.Or(s.Keys, other.Keys), cmp.Or(s.Rounds, other.Rounds), s.Only,
	}
}

// Wants tells whether a part is to be run.
func (s Size) Wants(part string) bool { return s.Only == "" || s.Only == part }

// A Key is what is put: the place of a thread, and in the other network a value under
// the place's location, so that both stand at the same point of the ring.
type Key struct {
	Number int
	Root   *records.Record
}

// Place is where it lies.
func (k Key) Place() records.Place { return records.ThreadPlace(k.Root.ItemKey()) }

// A Field is a network to attack.
type Field interface {
	Links() *nodetest.Links
	Infos() []peer.AddrInfo
	// Try puts under a key and reads it from others.
	Try(ctx context.Context, k Key) (Count, error)
}

// Keys are n keys; the posts that threads begin with are the same in both networks.
func Keys(ctx context.Context, col *colony.Colony, n int) (keys []Key, err error) {
	author := col.Author(1)
	for i := range n {
		root, err := author.Post(ctx, time.Now().Add(-time.Hour), fmt.Sprintf("thread %d", i))
		if err != nil {
			return nil, err
		}
		keys = append(keys, Key{i, root})
	}
	return keys, nil
}

// Ours is a colony under siege.
type Ours struct {
	*colony.Colony
	Most   int // members that a put went to, at most
	say    func(format string, args ...any)
	author *colony.Author
}

// NewOurs starts a colony.
func NewOurs(c *campaign.Campaign, s *campaign.Simulation, nodes, k int) (*Ours, error) {
	col, err := colony.Found(c, s, colony.Config{
		Nodes: nodes, Neighbourhood: k,
		Tune: func(n *node.Config) { n.HealInterval = 24 * time.Hour }, // what healing would mend is not to help
	})
	if err != nil {
		return nil, err
	}
	return &Ours{Colony: col, say: c.Say, author: col.Author(2)}, nil
}

// Links are those of the network.
func (o *Ours) Links() *nodetest.Links { return o.Net.Links }

// Infos are the honest nodes.
func (o *Ours) Infos() []peer.AddrInfo { return o.Net.Infos() }

// Open publishes the posts with which threads begin. One that the attacked do not show
// to its author is no reason to end: only the thread is read, and that is a place of its own.
func (o *Ours) Open(ctx context.Context, keys []Key) error {
	for _, k := range keys {
		if _, err := o.Net.Nodes[0].PublishRecord(ctx, k.Root, nil); err != nil && !errors.Is(err, node.ErrNoQuorum) {
			return fmt.Errorf("begin thread %d: %w", k.Number, err)
		}
	}
	return nil
}

// Alarms is how often a place looked planted, to all nodes together.
func (o *Ours) Alarms() (n int) {
	for _, x := range o.Net.Running() {
		n += int(x.Status().Planted)
	}
	return n
}

// Try publishes a reply to the key's thread and reads the thread.
func (o *Ours) Try(ctx context.Context, k Key) (Count, error) {
	reply, err := o.author.Reply(ctx, time.Now(), k.Root, fmt.Sprintf("reply %d", k.Number))
	if err != nil {
		return Count{}, err
	}
	at := o.Some(1+readers, len(o.Net.Nodes))
	receipt, err := o.Net.Nodes[at[0]].PublishRecord(ctx, reply, nil)
	if err != nil && !errors.Is(err, node.ErrNoQuorum) {
		return Count{}, fmt.Errorf("publish: %w", err)
	}
	for _, p := range receipt.Places {
		o.Most = max(o.Most, p.Wanted)
	}
	count := Count{Puts: 1}
	if err == nil {
		count.Stored = 1
	} else {
		o.say("key %d: %v", k.Number, err)
	}
	for _, i := range at[1:] {
		count.Reads++
		if found(ctx, o.Net.Nodes[i], k, reply) {
			count.Found++
		}
	}
	if count.Found < count.Reads {
		count.False = count.Stored
	}
	return count, nil
}

// found tells whether a node reads a record in the key's thread.
func found(ctx context.Context, x *nodetest.Node, k Key, want *records.Record) bool {
	for r, err := range x.Timeline(ctx, node.ThreadSource(k.Root.Ref()), node.Range{Limit: node.MaxTimeline}) {
		if err == nil && r.ID() == want.ID() {
			return true
		}
	}
	return false
}

// Theirs is a network of stock nodes under siege.
type Theirs struct {
	*stock.Network
	campaign *campaign.Campaign
	links    *nodetest.Links
	nodes    int
}

// NewTheirs starts one, with the ids that ours has.
func NewTheirs(ctx context.Context, c *campaign.Campaign, s *campaign.Simulation, n records.Network, nodes, k int) (*Theirs, error) {
	var keys []crypto.PrivKey
	for i := range nodes {
		key, err := colony.NodeKey(c, i)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	links := nodetest.NewLinks(nodetest.LinksConfig{Seed: c.Seed, Link: func(int, int) nodetest.Link { return nodetest.Link{Latency: latency} }})
	net, err := stock.New(ctx, links, n, keys, k)
	if err != nil {
		return nil, err
	}
	s.Cleanup(func() {
		if err := net.Close(); err != nil {
			s.Errorf("close stock network: %v", err)
		}
	})
	return &Theirs{net, c, links, nodes}, nil
}

// Links are those of the network.
func (t *Theirs) Links() *nodetest.Links { return t.links }

// Try puts a value under the key and gets it.
func (t *Theirs) Try(ctx context.Context, k Key) (Count, error) {
	location := k.Place().Location()
	key, value := string(location[:]), fmt.Appendf(nil, "value %d", k.Number)
	at := t.campaign.Rand.Perm(t.nodes)[:1+readers]
	count := Count{Puts: 1}
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if t.Put(bounded, at[0], key, value) == nil {
		count.Stored = 1
	}
	for _, i := range at[1:] {
		count.Reads++
		if t.Get(bounded, i, key, value) {
			count.Found++
		}
	}
	if count.Found < count.Reads {
		count.False = count.Stored
	}
	return count, nil
}

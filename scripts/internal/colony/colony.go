// Package colony is a network of whole nodes in virtual time with posts on it, for
// campaigns that take such a network apart and look at what is left.
//
// It owns the nodes and the people who post; what happens to them is for the
// campaign. Where nodes stand on the ring, what is posted and who dies all come from
// the campaign's seed, so that two colonies of one campaign are alike.
package colony

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

// latency is that of every link, one way.
const latency = 25 * time.Millisecond

// grain makes events of many nodes fall together, which the processors then share.
const grain = 5 * time.Millisecond

// Config says what a colony is like.
type Config struct {
	Nodes         int // to begin with
	Neighbourhood int // K, the least that a neighbourhood has
	Tune          func(*node.Config)
}

// Colony is a network and those who post on it.
type Colony struct {
	*campaign.Campaign
	Net     *nodetest.Network
	Network records.Network
	// Random makes the choices that are the same in all colonies of a campaign.
	Random *rand.Rand
}

// Found starts a colony and waits until it has come to rest.
func Found(c *campaign.Campaign, s *campaign.Simulation, cfg Config) (*Colony, error) {
	network, err := records.NewNetwork("simulation", records.Params{Neighbourhood: cfg.Neighbourhood, Capacity: 64})
	if err != nil {
		return nil, fmt.Errorf("name the network: %w", err)
	}
	net := nodetest.New(s, nodetest.Config{
		Nodes: cfg.Nodes, Network: network,
		Links: nodetest.LinksConfig{Seed: c.Seed, Grain: grain, Link: func(int, int) nodetest.Link { return nodetest.Link{Latency: latency} }},
		Tune: func(i int, n *node.Config) {
			identity, err := NodeKey(c, i)
			if err != nil {
				s.Fatalf("make key of node %d: %v", i, err)
			}
			n.Identity = identity
			if cfg.Tune != nil {
				cfg.Tune(n)
			}
		},
	})
	net.Settle()
	return &Colony{Campaign: c, Net: net, Network: network, Random: rand.New(rand.NewChaCha8(seed(c.Seed, "chance", 0)))}, nil
}

// NodeKey is the key of the node with a number, the same in all colonies of a campaign.
func NodeKey(c *campaign.Campaign, number int) (crypto.PrivKey, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.NewChaCha8(seed(c.Seed, "node", number)))
	return key, err
}

// seed is one of the campaign's many.
func seed(campaign uint64, what string, number int) (out [32]byte) {
	binary.BigEndian.PutUint64(out[:], campaign)
	binary.BigEndian.PutUint64(out[8:], uint64(number))
	copy(out[16:], what)
	return out
}

// Some is n of all indices below all, the same in every colony of the campaign.
func (c *Colony) Some(n, all int) []int { return c.Random.Perm(all)[:n] }

// Neighbours are the sizes of the neighbourhoods of all running nodes, in ascending
// order, counted by who is there and not by whom anybody knows.
func (c *Colony) Neighbours() (sizes []int) {
	running := c.Net.Running()
	for _, x := range running {
		n := 0
		for _, y := range running {
			if x.Holds(y) {
				n++
			}
		}
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	return sizes
}

// Moved is what healing has moved at all running nodes since they started.
func (c *Colony) Moved() (taken, given int64) {
	for _, x := range c.Net.Running() {
		h := x.Status().Healing
		taken += h.Taken
		given += h.Given
	}
	return taken, given
}

// People are those who post, one for so many posts; each of them has hashtags of
// about the same number.
const postsEach = 50

// An Author signs posts.
type Author struct {
	colony *Colony
	key    records.Key
	made   uint64
}

// Author is the one with a number.
func (c *Colony) Author(number int) *Author {
	return &Author{colony: c, key: records.KeyFromSeed(seed(c.Seed, "author", number))}
}

// User is the author's name.
func (a *Author) User() records.User { return a.key.User() }

// Post makes a post.
func (a *Author) Post(ctx context.Context, at time.Time, text string, tags ...records.Tag) (*records.Record, error) {
	var salt [8]byte
	a.made++
	binary.BigEndian.PutUint64(salt[:], a.made)
	d, err := records.NewPost(records.MillisOf(at), salt, records.PostHead{Tags: tags}, records.PostBody{Text: text})
	if err != nil {
		return nil, fmt.Errorf("compose post: %w", err)
	}
	return a.seal(ctx, d)
}

// Reply makes a post that answers the first of a thread, and so lies with the thread.
func (a *Author) Reply(ctx context.Context, at time.Time, root *records.Record, text string) (*records.Record, error) {
	var salt [8]byte
	a.made++
	binary.BigEndian.PutUint64(salt[:], a.made)
	ref := root.Ref()
	d, err := records.NewPost(records.MillisOf(at), salt, records.PostHead{Root: &ref, Parent: &ref}, records.PostBody{Text: text})
	if err != nil {
		return nil, fmt.Errorf("compose reply: %w", err)
	}
	return a.seal(ctx, d)
}

// Edit makes the next version of a post.
func (a *Author) Edit(ctx context.Context, r *records.Record, text string) (*records.Record, error) {
	d, err := records.EditPost(r, r.Rev().Millis()+1, records.PostBody{Text: text})
	if err != nil {
		return nil, fmt.Errorf("compose edit: %w", err)
	}
	return a.seal(ctx, d)
}

// Delete makes the end of a post.
func (a *Author) Delete(ctx context.Context, r *records.Record) (*records.Record, error) {
	return a.seal(ctx, records.Tombstone(r, r.Rev().Millis()+1))
}

func (a *Author) seal(ctx context.Context, d records.Draft) (*records.Record, error) {
	r, err := records.Seal(ctx, a.colony.Network, records.AuthorSigner(a.key), d)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return r, nil
}

// Library is posts of two months up to now: of some people and with some hashtags, a
// few of which are busy enough for months to be split and most of which are not.
func (c *Colony) Library(ctx context.Context, posts int) ([]*records.Record, error) {
	people := max(posts/postsEach, 1)
	authors := make([]*Author, people)
	for i := range authors {
		authors[i] = c.Author(i)
	}
	const long = 60 * 24 * time.Hour
	begin := time.Now().Add(-long)
	out := make([]*records.Record, 0, posts)
	for i := range posts {
		at := begin.Add(time.Duration(i) * long / time.Duration(posts))
		tag := records.Tag(fmt.Sprintf("tag%d", c.uneven(people)))
		r, err := authors[c.uneven(people)].Post(ctx, at, fmt.Sprintf("post %d of a library", i), tag)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// uneven is a number below n, low ones more often than high ones.
func (c *Colony) uneven(n int) int { return int(float64(n) * math.Pow(c.Random.Float64(), 2)) }

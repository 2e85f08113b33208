package node_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// keepNetwork has small buckets, so that little traffic makes deep trees.
func keepNetwork(t *testing.T) records.Network {
	t.Helper()
	network, err := records.NewNetwork("keep", records.Params{Neighbourhood: 4, Capacity: 4})
	if err != nil {
		t.Fatal(err)
	}
	return network
}

// keepNodes is so many that some may go without neighbourhoods becoming others: what
// moves then is not what these tests are about.
const keepNodes = 22

// hourly are posts of a hashtag, one an hour, published by one node.
func hourly(ctx context.Context, t *testing.T, network records.Network, x *nodetest.Node, from, to int) (all []*records.Record) {
	t.Helper()
	now := time.Now()
	for i := from; i < to; i++ {
		created := records.MillisOf(now.Add(-time.Duration(to-i) * time.Hour))
		r := sealed(ctx, t, network, 0, created, i, records.PostHead{Tags: []records.Tag{"sky"}})
		if _, err := x.PublishRecord(ctx, r, nil); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func numbers(from, to int) (out []string) {
	for i := to - 1; i >= from; i-- {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// What was published while a node was cut off is shown when it is back, backdated
// posts too, by both ways of hearing: what it kept is not taken for all there is.
func TestKeep_cutOff(t *testing.T) {
	network := keepNetwork(t)
	simulate(t, nodetest.Config{Nodes: keepNodes, Network: network, Links: nodetest.LinksConfig{Seed: 31}}, func(ctx context.Context, net *nodetest.Network) {
		x, others := net.Nodes[keepNodes-1], make([]int, keepNodes-1)
		for i := range others {
			others[i] = i
		}
		hourly(ctx, t, network, net.Nodes[2], 0, 20)
		for i, source := range []node.Source{node.TagSource("sky"), node.UserSource(author(0).User())} {
			follows(ctx, t, x, source)
			net.Pass(time.Minute)
			for range 2 {
				if got := home(ctx, t, x, 50); len(got) != 20+2*i {
					t.Fatalf("following %s, home has %d posts: %v", source, len(got), got)
				}
			}
			net.Links.Partition(others, []int{x.Index})
			net.Pass(2 * time.Minute)
			backdated := sealed(ctx, t, network, 0, records.MillisOf(time.Now().Add(-5*24*time.Hour)), 1000+i, records.PostHead{Tags: []records.Tag{"sky"}})
			fresh := sealed(ctx, t, network, 0, records.MillisOf(time.Now()), 2000+i, records.PostHead{Tags: []records.Tag{"sky"}})
			for _, r := range []*records.Record{backdated, fresh} {
				if _, err := net.Nodes[4].PublishRecord(ctx, r, nil); err != nil {
					t.Fatal(err)
				}
			}
			net.Pass(time.Minute)
			net.Links.Heal()
			for waited := 0; x.Status().Peers < keepNodes-2 && waited < 300; waited++ {
				net.Pass(time.Second)
			}
			net.Pass(20 * time.Second) // until it knows again who is there
			got := home(ctx, t, x, 50)
			if len(got) != 22+2*i || got[0] != fmt.Sprint(2000+i) || !slices.Contains(got, fmt.Sprint(1000+i)) {
				t.Errorf("following %s, home has %d posts, the newest %s, with %d peers", source, len(got), got[0], x.Status().Peers)
			}
			if err := x.Unfollow(ctx, source); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Copies that are kept only because the node follows are no answer to others, and
// are dropped when it follows no longer; what it holds for others is neither.
func TestKeep_discreet(t *testing.T) {
	network := keepNetwork(t)
	nodes := 48
	if smaller() {
		nodes = 36
	}
	stores := map[int]*datastore.Store{}
	tune := func(i int, c *node.Config) { stores[i] = c.Store }
	simulate(t, nodetest.Config{Nodes: nodes, Network: network, Tune: tune, Links: nodetest.LinksConfig{Seed: 32}}, func(ctx context.Context, net *nodetest.Network) {
		x := net.Nodes[20]
		all := hourly(ctx, t, network, net.Nodes[2], 0, 40)
		follows(ctx, t, x, node.TagSource("sky"))
		net.Pass(time.Minute)
		if got := home(ctx, t, x, 50); !slices.Equal(got, numbers(0, 40)) {
			t.Fatalf("home has %d posts", len(got))
		}
		stranger := newStranger(t, net, network, 99)
		defer stranger.close(t)
		copied := 0
		kept := held(t, network, stores[20], all)
		for p := range kept {
			b := stranger.fetch(ctx, t, x, p)
			if got := len(b.Records) + len(b.Witnesses); (got > 0) != memberOf(x, p) {
				t.Errorf("a stranger sees %d records of %s, which is held for others: %t", got, p, memberOf(x, p))
			}
			if !memberOf(x, p) {
				copied++
			}
		}
		if copied < 5 {
			t.Fatalf("%d of %d places are copies", copied, len(kept))
		}
		if err := x.Unfollow(ctx, node.TagSource("sky")); err != nil {
			t.Fatal(err)
		}
		left := held(t, network, stores[20], all)
		for p := range kept {
			if left[p] != memberOf(x, p) {
				t.Errorf("%s, which is held for others: %t, is here: %t", p, memberOf(x, p), left[p])
			}
		}
		if got := texts(ctx, t, x, node.TagSource("sky"), 50); len(got) != 40 {
			t.Errorf("then it reads %d posts", len(got))
		}
	})
}

// memberOf tells whether a node takes itself for a member of a place, as others may
// who think that the network is half as large.
func memberOf(x *nodetest.Node, p records.Place) bool {
	self, at := records.Coordinate(sha256.Sum256([]byte(x.PeerID()))), p.Coordinate()
	for i := range x.Status().Prefix - 1 {
		if (self[i/8]^at[i/8])>>(7-i%8)&1 == 1 {
			return false
		}
	}
	return true
}

// held are the places that some posts of a hashtag could be in and of which a
// store has something.
func held(t *testing.T, network records.Network, s *datastore.Store, posts []*records.Record) map[records.Place]bool {
	t.Helper()
	out := map[records.Place]bool{}
	for _, r := range posts {
		p := records.TagPlace("sky")
		for child := p.ChildFor(r); p != child; p, child = child, child.ChildFor(r) {
			b, err := s.Bucket(records.Query{Place: p, Before: records.Newest, Limit: network.Capacity(p)})
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Records)+len(b.Witnesses) > 0 {
				out[p] = true
			}
		}
	}
	return out
}

// stranger asks nodes without being one.
type stranger struct {
	client *exchange.Client
	links  *nodetest.Links
	host   host.Host
}

func newStranger(t *testing.T, net *nodetest.Network, network records.Network, number int) stranger {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := net.Links.Host(number, key, libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	c := exchange.NewClient(exchange.ClientConfig{Host: h, Door: records.NewDoor(network, 64)})
	return stranger{c, net.Links, h}
}

func (s stranger) close(t *testing.T) {
	t.Helper()
	s.client.Close()
	if err := s.host.Close(); err != nil {
		t.Error(err)
	}
}

func (s stranger) fetch(ctx context.Context, t *testing.T, x *nodetest.Node, p records.Place) records.Bucket {
	t.Helper()
	info, err := peer.AddrInfoFromString(fmt.Sprintf("%s/p2p/%s", s.links.Addr(x.Index), x.PeerID()))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.host.Connect(ctx, *info); err != nil {
		t.Fatal(err)
	}
	answers, err := s.client.Fetch(ctx, x.PeerID(), []records.Query{{Place: p, Before: records.Newest, Limit: 4}})
	if err != nil {
		t.Fatalf("fetch %s: %v", p, err)
	}
	var refusal *exchange.Refusal
	if err := answers[0].Err; err != nil && (!errors.As(err, &refusal) || refusal.Code != exchange.NotAMember) {
		t.Fatalf("fetch %s: %v", p, err)
	}
	return answers[0].Bucket // of who is no member, nothing
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/baseline"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

// The network that everything is measured in.
const (
	latency       = 25 * time.Millisecond // one way
	neighbourhood = 16                    // as on the main network
	capacity      = 64                    // the same
)

// The present of the nodes lies well inside a month, between the first third and
// the end; where, the seed says.
var monthBegan = time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC)

// A scene is a network in virtual time, and those who read in it.
type scene struct {
	*campaign.Campaign
	net     *nodetest.Network
	network records.Network
	shift   atomic.Int64 // nanoseconds from virtual time to that of the nodes

	mu    sync.Mutex            // protects all below
	keys  *rand.ChaCha8         // of hosts
	hosts int                   // of the baseline, so far
	asked map[records.Place]int // how often members were asked about a place, while it is not nil
	puts  func(member int, puts []records.Put, outcomes []records.Outcome)
}

// firstSeat keeps the numbers of the baseline's hosts clear of those of nodes.
const firstSeat = 20_000

// stage starts a network of so many nodes that hold, and waits until it has come
// to rest.
func stage(c *campaign.Campaign, s *campaign.Simulation, nodes int) (*scene, error) {
	network, err := records.NewNetwork("simulation", records.Params{Neighbourhood: neighbourhood, Capacity: capacity})
	if err != nil {
		return nil, err
	}
	present := monthBegan.Add(10*day + time.Duration(c.Rand.Int64N(int64(17*day))))
	sc := &scene{
		Campaign: c, network: network,
		keys: rand.NewChaCha8([32]byte{byte(c.Seed), byte(c.Seed >> 8), byte(c.Seed >> 16), byte(c.Seed >> 24)}),
	}
	sc.leap(time.Until(present))
	sc.net = nodetest.New(s, nodetest.Config{
		Nodes: nodes, Network: network,
		Links: nodetest.LinksConfig{Seed: c.Seed, Link: func(int, int) nodetest.Link { return nodetest.Link{Latency: latency} }},
		Tune: func(i int, c *node.Config) {
			c.Now = sc.now
			c.Serve = func(held node.ServedStore) node.ServedStore { return &counted{held, i, sc} }
			if i >= nodes {
				c.Client, c.DoorSize = true, 8192
				c.Bootstrap = sc.bootstrap()
			}
		},
	})
	sc.net.Settle()
	return sc, nil
}

// now is the present of the nodes.
func (sc *scene) now() time.Time { return time.Now().Add(time.Duration(sc.shift.Load())) }

// leap puts the clocks of all nodes forward.
func (sc *scene) leap(d time.Duration) { sc.shift.Add(int64(d)) }

// bootstrap is three nodes that stay.
func (sc *scene) bootstrap() (addrs []string) {
	for i := range 3 {
		addrs = append(addrs, fmt.Sprintf("%s/p2p/%s", sc.net.Links.Addr(i), sc.net.Nodes[i].PeerID()))
	}
	return addrs
}

// settling is how long somebody new is left alone before they read.
const settling = 20 * time.Second

// newcomers are nodes that hold nothing, have joined and have read nothing.
func (sc *scene) newcomers(ctx context.Context, n int) ([]*nodetest.Node, error) {
	var out []*nodetest.Node
	for range n {
		out = append(out, sc.net.Start())
	}
	for _, x := range out {
		select {
		case <-x.Ready():
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	sc.net.Pass(settling)
	return out, ctx.Err()
}

func (sc *scene) dismiss(nodes []*nodetest.Node) {
	for _, x := range nodes {
		sc.net.Stop(x.Index)
	}
}

// A guest is a reader of the baseline with its host.
type guest struct {
	*baseline.Reader
	host host.Host
}

// guest joins a reader of the baseline that asks so many members of a place.
func (sc *scene) guest(ctx context.Context, ask, full int) (*guest, error) {
	host, err := sc.seat()
	if err != nil {
		return nil, err
	}
	g, err := sc.join(ctx, host, ask, full)
	if err != nil {
		return nil, errors.Join(err, host.Close())
	}
	return g, nil
}

// seat is a new host of the baseline.
func (sc *scene) seat() (host.Host, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	key, _, err := crypto.GenerateEd25519Key(sc.keys)
	if err != nil {
		return nil, err
	}
	sc.hosts++
	return sc.net.Links.Host(firstSeat+sc.hosts, key)
}

func (sc *scene) join(ctx context.Context, host host.Host, ask, full int) (*guest, error) {
	var known []peer.AddrInfo
	for _, s := range sc.bootstrap() {
		info, err := peer.AddrInfoFromString(s)
		if err != nil {
			return nil, err
		}
		known = append(known, *info)
	}
	r, err := baseline.New(ctx, baseline.Config{
		Host: host, Door: records.NewDoor(sc.network, 8192), Now: sc.now, Bootstrap: known, Ask: ask, Full: full,
	})
	if err != nil {
		return nil, err
	}
	return &guest{r, host}, nil
}

func (g *guest) leave() {
	_ = g.Close() // what a reader leaves behind is no matter of the campaign
	_ = g.host.Close()
}

// counted is what a node answers others from, with somebody looking on.
type counted struct {
	node.ServedStore
	member int
	scene  *scene
}

func (s *counted) Bucket(q records.Query) (records.Bucket, error) {
	s.scene.mu.Lock()
	if s.scene.asked != nil {
		s.scene.asked[q.Place]++
	}
	s.scene.mu.Unlock()
	return s.ServedStore.Bucket(q)
}

func (s *counted) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	outcomes, err := s.ServedStore.Merge(ctx, puts)
	s.scene.mu.Lock()
	defer s.scene.mu.Unlock()
	if s.scene.puts != nil && err == nil {
		s.scene.puts(s.member, puts, outcomes)
	}
	return outcomes, err
}

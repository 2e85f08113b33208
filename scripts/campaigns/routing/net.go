package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

// Two values of K: with the small one answers hold 20 nodes, as those of the library
// do; the other is the library's, and near that of the main network.
const (
	small = 4
	usual = 20
)

// A kind of nodes: the library as it comes, or ours.
type kind string

const (
	ours  kind = "ours"
	stock kind = "stock"
)

// A member is a node of one kind.
type member struct {
	host   host.Host
	number int
	ours   *dht.DHT
	stock  *kad.IpfsDHT
	end    func() error
	gone   bool
}

// A net is a network of nodes of one kind.
type net struct {
	*campaign.Simulation
	kind    kind
	links   *nodetest.Links
	network records.Network
	seed    uint64
	members []*member // in the order they came
	byID    map[peer.ID]*member
}

func newNet(c *campaign.Campaign, s *campaign.Simulation, k kind, neighbourhood int, links nodetest.LinksConfig) (*net, error) {
	network, err := records.NewNetwork("routing", records.Params{Neighbourhood: neighbourhood, Capacity: 64})
	if err != nil {
		return nil, fmt.Errorf("name the network: %w", err)
	}
	links.Seed = c.Seed
	n := &net{Simulation: s, kind: k, links: nodetest.NewLinks(links), network: network, seed: c.Seed, byID: map[peer.ID]*member{}}
	s.Cleanup(n.close)
	return n, nil
}

func (n *net) close() {
	for _, m := range n.members {
		if err := errors.Join(m.end(), m.host.Close()); err != nil {
			n.Errorf("end node %d: %v", m.number, err)
		}
	}
}

func (n *net) key(number int) (crypto.PrivKey, error) {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte("routing"), n.seed), uint64(number)))
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
}

// joining is how a node joins.
type joining struct {
	server              bool
	limits              dht.IPGroups
	entries, remembered []peer.AddrInfo // the library's own knows none of the latter
}

// add starts a node that joins through others.
func (n *net) add(ctx context.Context, server bool, limits dht.IPGroups, through ...*member) (*member, error) {
	return n.addBy(ctx, joining{server: server, limits: limits, entries: infosOf(through)})
}

func (n *net) addBy(ctx context.Context, by joining) (*member, error) {
	number := len(n.members)
	key, err := n.key(number)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	h, err := n.links.Host(number, key)
	if err != nil {
		return nil, fmt.Errorf("make host: %w", err)
	}
	m := &member{host: h, number: number}
	if n.kind == ours {
		err = n.runOurs(ctx, m, by)
	} else {
		err = n.runStock(ctx, m, by)
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	n.members = append(n.members, m)
	n.byID[h.ID()] = m
	return m, nil
}

func (n *net) runOurs(ctx context.Context, m *member, by joining) error {
	d, err := dht.New(dht.Config{
		Host: m.host, Network: n.network, Server: by.server, Bootstrap: by.entries, Remembered: by.remembered,
		Addresses: dht.AllAddresses, IPGroups: by.limits,
		PrefixOf: func(_ context.Context, p peer.ID) (int, error) {
			if other := n.byID[p]; other != nil && !other.gone {
				return other.ours.Prefix(), nil
			}
			return 0, fmt.Errorf("node %s is gone", p)
		},
	})
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	over := make(chan error, 1)
	go func() { over <- d.Run(running) }()
	m.ours, m.end = d, func() error { cancel(); return <-over }
	return nil
}

func (n *net) runStock(ctx context.Context, m *member, by joining) error {
	mode := kad.ModeClient
	if by.server {
		mode = kad.ModeServer
	}
	d, err := kad.New(m.host, kad.ProtocolPrefix(protocol.KadPrefix(n.network)), kad.Mode(mode), kad.BootstrapPeers(by.entries...),
		kad.DisableProviders(), kad.DisableValues(), kad.AddressFilter(dht.AllAddresses))
	if err != nil {
		return fmt.Errorf("start kad-dht: %w", err)
	}
	m.stock, m.end = d, d.Close
	return d.Bootstrap(ctx)
}

// grow starts so many nodes, which join through the first, and lets them settle.
func (n *net) grow(ctx context.Context, count int) error {
	for i := range count {
		if _, err := n.add(ctx, true, dht.IPGroups{}, n.members[:min(i, 1)]...); err != nil {
			return err
		}
		if i%20 == 19 {
			pass(time.Second)
		}
	}
	pass(5 * time.Minute)
	return ctx.Err()
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// hurt takes a node away, or lets it hang.
func (n *net) hurt(m *member, hangs bool) {
	if hangs {
		n.links.Pause(m.number)
	} else {
		n.links.Kill(m.number)
	}
	m.gone = true
}

// truth is the living servers nearest to a key's hash, nearest first.
func (n *net) truth(key string, servers []*member) []peer.ID {
	target := sha256.Sum256([]byte(key))
	var ids []peer.ID
	for _, m := range servers {
		if !m.gone {
			ids = append(ids, m.host.ID())
		}
	}
	return kb.SortClosestPeers(ids, target[:])
}

// A sight is what a lookup came to.
type sight struct {
	took  time.Duration
	found float64 // share of the living nodes it should find
}

// look finds who is responsible for a key.
func (n *net) look(ctx context.Context, from *member, key string, servers []*member) (sight, error) {
	began := time.Now()
	var (
		found []peer.ID
		want  = n.truth(key, servers)
	)
	if n.kind == stock {
		got, err := from.stock.GetClosestPeers(ctx, key)
		if err != nil {
			return sight{took: time.Since(began)}, nil // it found nobody
		}
		found, want = got, want[:min(len(want), 20)]
	} else {
		at := records.Coordinate(sha256.Sum256([]byte(key)))
		got, err := from.ours.Members(ctx, at)
		if err != nil {
			return sight{took: time.Since(began)}, nil
		}
		found = got.Peers
		want = slices.DeleteFunc(want, func(p peer.ID) bool { return !sameRegion(at, p, got.Bits) })
	}
	s := sight{took: time.Since(began)}
	for _, p := range want {
		if slices.Contains(found, p) {
			s.found += 1 / float64(len(want))
		}
	}
	return s, ctx.Err()
}

func sameRegion(at records.Coordinate, p peer.ID, bits int) bool {
	return kb.CommonPrefixLen(at[:], kb.ConvertPeerID(p)) >= bits
}

// table is who is in the node's routing table.
func (m *member) table() []peer.ID {
	if m.ours != nil {
		return m.ours.Table()
	}
	return m.stock.RoutingTable().ListPeers()
}

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// An impostor is a member like any other as far as the DHT can tell. What it answers
// is made up: it holds nothing, takes every put and forgets it, and what it says to
// hold when it is reconciled with is as its face says.
type impostor struct {
	number int // on the links
	host   host.Host
	client *exchange.Client
	junk   *records.Record // what it hands over for anything, if it hands over at all

	face    atomic.Int32
	mu      sync.Mutex // protects what follows
	fakes   []reconcile.Element
	made    time.Time
	written map[written]int // puts in each interval
}

// The faces of an impostor.
const (
	denies  = iota // holds nothing, and says that this is all there is
	boasts         // claims ten thousand things that nobody has, and other ones a minute later
	throws         // the same, and hands over something else when asked for them
	gathers        // holds nothing, and says that it is still gathering, for ever
)

// What an impostor says of how much it has gathered, in bits.
const (
	everything = 0
	nothingYet = 8*len(records.Coordinate{}) + 1
)

// A written record stands at a place.
type written struct {
	place    records.Place
	key      records.ItemKey
	interval int64
}

const boasted = 10_000 // things

// firstImpostor is the number of the first on the links; those of nodes are below.
const firstImpostor = 1000

// intrude makes an impostor, which stays until the simulation ends.
func (o *observer) intrude(ctx context.Context, i int) (*impostor, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.NewChaCha8([32]byte{byte(i), byte(o.Seed), 1}))
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	m := &impostor{number: firstImpostor + i, written: map[written]int{}}
	if m.junk, err = o.Author(firstImpostor+i).Post(ctx, time.Now(), "not what you asked for", "junk"); err != nil {
		return nil, err
	}
	if m.host, err = libp2p.New(append(o.Net.Links.HostOptions(m.number), libp2p.Identity(key))...); err != nil {
		return nil, fmt.Errorf("make host: %w", err)
	}
	door := records.NewDoor(o.Network, 256)
	m.client = exchange.NewClient(exchange.ClientConfig{Host: m.host, Door: door})
	first := o.Net.Nodes[0]
	bootstrap, err := peer.AddrInfoFromString(fmt.Sprintf("%s/p2p/%s", o.Net.Links.Addr(0), first.PeerID()))
	if err != nil {
		return nil, fmt.Errorf("address of the first node: %w", err)
	}
	table, err := dht.New(dht.Config{
		Host: m.host, Network: o.Network, Bootstrap: []peer.AddrInfo{*bootstrap}, PrefixOf: m.client.PrefixOf,
		Server: true, Addresses: dht.AllAddresses,
	})
	if err != nil {
		return nil, fmt.Errorf("make dht: %w", err)
	}
	server := exchange.NewServer(exchange.ServerConfig{
		Host: m.host, Door: door, Store: m, Holdings: m, Region: table,
		Status: func() exchange.Status { return exchange.Status{Whole: m.whole()} },
	})
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = table.Run(ctx) })
	running.Go(func() { _ = server.Run(ctx) })
	o.simulation.Cleanup(func() {
		stop()
		running.Wait()
		m.client.Close()
		_ = m.host.Close()
	})
	return m, nil
}

// Bucket shows every place empty.
func (m *impostor) Bucket(q records.Query) (records.Bucket, error) {
	return records.Bucket{Place: q.Place}, nil
}

// Merge takes everything, keeps nothing, and counts.
func (m *impostor) Merge(_ context.Context, puts []records.Put) ([]records.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now().UnixNano() / int64(interval)
	for _, p := range puts {
		m.written[written{p.Place, p.Record.ItemKey(), now}]++
	}
	return slices.Repeat([]records.Outcome{{Status: records.Stored}}, len(puts)), nil
}

// most is how often any record was written to the impostor at one place within an
// interval, and how many were at all.
func (m *impostor) most() (most, entries int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[written]bool{}
	for w, n := range m.written {
		most = max(most, n)
		w.interval = 0
		seen[w] = true
	}
	return most, len(seen)
}

// wear gives the impostor another face, and forgets what was written to it.
func (m *impostor) wear(face int32) {
	m.face.Store(face)
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.written)
}

// whole is how much it says that it has gathered: all, as a member, or nothing, as who
// has just joined.
func (m *impostor) whole() int {
	if m.face.Load() == gathers {
		return nothingYet
	}
	return everything
}

// held is what it claims to hold.
func (m *impostor) held() []reconcile.Element {
	if f := m.face.Load(); f == denies || f == gathers {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.made) > time.Minute {
		m.made = time.Now()
		m.fakes = fakes(boasted, uint64(m.made.UnixNano()))
	}
	return m.fakes
}

// fakes are elements that stand for nothing, in order.
func fakes(n int, seed uint64) []reconcile.Element {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], seed)
	random := rand.NewChaCha8(s)
	out := make([]reconcile.Element, n)
	for i := range out {
		_, _ = random.Read(out[i].At[:])
		_, _ = random.Read(out[i].Key[:])
		_, _ = random.Read(out[i].ID[:])
	}
	slices.SortFunc(out, reconcile.Element.Compare)
	return out
}

// within is those of what it claims to hold that lie in a range.
func (m *impostor) within(from, to reconcile.Bound) []reconcile.Element {
	all := m.held()
	index := func(b reconcile.Bound) int {
		i, _ := slices.BinarySearchFunc(all, b, func(e reconcile.Element, b reconcile.Bound) int {
			if e.Before(b) {
				return -1
			}
			return 1
		})
		return i
	}
	return all[index(from):max(index(from), index(to))]
}

// Fingerprint is that of what it claims.
func (m *impostor) Fingerprint(from, to reconcile.Bound) (sum records.Fingerprint, err error) {
	for _, e := range m.within(from, to) {
		sum = sum.Plus(e.Fingerprint())
	}
	return sum, nil
}

// List is what it claims.
func (m *impostor) List(from, to reconcile.Bound, limit int) ([]reconcile.Element, error) {
	some := m.within(from, to)
	return slices.Clone(some[:min(limit, len(some))]), nil
}

var errNothing = errors.New("there is nothing there")

// Standing hands over junk, or nothing.
func (m *impostor) Standing(records.ItemKey, []records.Coordinate) ([]records.Put, error) {
	if m.face.Load() != throws {
		return nil, errNothing
	}
	return []records.Put{{Place: m.junk.Roots()[0], Record: m.junk}}, nil
}

// pester asks a node for all that it holds, again and again and on several streams
// of thought at once, until ctx ends.
func (m *impostor) pester(ctx context.Context, victim peer.ID) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				_, err := m.client.Reconcile(ctx, victim, exchange.Common{}, nothing{}, reconcile.Start, func(d exchange.Found) error {
					_, err := m.client.Collect(ctx, victim, exchange.Common{}, d.Differences)
					return err
				})
				if err != nil && !pause(ctx, time.Second) {
					return
				}
			}
		})
	}
	all.Wait()
}

// browse reads places of a node, ten thousand and then again, until ctx ends.
func (m *impostor) browse(ctx context.Context, victim peer.ID, places []records.Place) {
	for ctx.Err() == nil {
		for some := range slices.Chunk(places, 64) {
			queries := make([]records.Query, len(some))
			for i, p := range some {
				queries[i] = records.Query{Place: p, Before: records.Newest, Limit: 64, Print: true}
			}
			if _, err := m.client.Fetch(ctx, victim, queries); err != nil && !pause(ctx, time.Second) {
				return
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// nothing is an empty set, to which everything is news.
type nothing struct{}

func (nothing) Fingerprint(_, _ reconcile.Bound) (records.Fingerprint, error) {
	return records.Fingerprint{}, nil
}

func (nothing) List(_, _ reconcile.Bound, _ int) ([]reconcile.Element, error) { return nil, nil }

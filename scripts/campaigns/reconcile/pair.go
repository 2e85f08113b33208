package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// A pair is two nodes over TCP on loopback: the first asks, the second answers.
type pair struct {
	network  records.Network
	stores   [2]*datastore.Store
	asks     *exchange.Client
	answers  peer.AddrInfo
	holdings [2]*counted
	end      []func() // in reverse order
}

// all is a node that holds the whole ring.
type all struct{}

func (all) Prefix() int                   { return 0 }
func (all) Narrowed() int                 { return 0 }
func (all) Holds(records.Coordinate) bool { return true }

// counted counts the elements that are listed, and what it took to answer.
type counted struct {
	datastore.Holdings
	read atomic.Int64
	work atomic.Int64 // nanoseconds
}

func (c *counted) Fingerprint(from, to reconcile.Bound) (records.Fingerprint, error) {
	defer c.since(time.Now())
	return c.Holdings.Fingerprint(from, to)
}

func (c *counted) List(from, to reconcile.Bound, limit int) ([]reconcile.Element, error) {
	defer c.since(time.Now())
	elements, err := c.Holdings.List(from, to, limit)
	c.read.Add(int64(len(elements)))
	return elements, err
}

func (c *counted) since(began time.Time) { c.work.Add(int64(time.Since(began))) }

func newPair(ctx context.Context, n records.Network, stores [2]*datastore.Store) (*pair, error) {
	p := &pair{network: n, stores: stores}
	for i, s := range stores {
		p.holdings[i] = &counted{Holdings: s.Holdings()}
		p.end = append(p.end, func() { _ = s.Close() })
	}
	h, err := p.host()
	if err != nil {
		return nil, err
	}
	p.answers = peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}
	server := exchange.NewServer(exchange.ServerConfig{
		Host: h, Door: records.NewDoor(n, 1<<16), Store: stores[1], Holdings: p.holdings[1], Region: all{},
		Status: func() exchange.Status { return exchange.Status{Bytes: stores[1].Stats().Bytes} },
	})
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = server.Run(ctx) })
	p.end = append(p.end, func() { cancel(); running.Wait() })
	p.asks, err = p.client(ctx)
	return p, err
}

func (p *pair) host() (host.Host, error) {
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		return nil, fmt.Errorf("make host: %w", err)
	}
	p.end = append(p.end, func() { _ = h.Close() })
	return h, nil
}

// client is one of another node.
func (p *pair) client(ctx context.Context) (*exchange.Client, error) {
	h, err := p.host()
	if err != nil {
		return nil, err
	}
	if err := h.Connect(ctx, p.answers); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := exchange.NewClient(exchange.ClientConfig{Host: h, Door: records.NewDoor(p.network, 1<<16)})
	p.end = append(p.end, c.Close)
	return c, nil
}

func (p *pair) close() {
	for i := range p.end {
		p.end[len(p.end)-1-i]()
	}
}

// A finding is what a reconciliation told, and what it took.
type finding struct {
	differences []reconcile.Difference
	bytes       int64 // of frames, both ways
	rounds      int64
	read        int64 // elements, on both sides
	took        time.Duration
	work        time.Duration // of the side that answers, in its store
}

// records is how many things differ.
func (f finding) records() int {
	keys := map[records.ItemKey]bool{}
	for _, d := range f.differences {
		keys[d.Key] = true
	}
	return len(keys)
}

// diverge writes n more posts, half of them to either side, and returns their size.
func (p *pair) diverge(ctx context.Context, w *writer, n int) (size int, err error) {
	for _, s := range p.stores {
		more, err := w.write(ctx, s, n/2)
		if err != nil {
			return 0, err
		}
		size += more
	}
	return size, nil
}

// find reconciles all that both hold.
func (p *pair) find(ctx context.Context) (f finding, err error) {
	meter := &exchange.Meter{}
	before := p.read()
	began := time.Now()
	end, err := p.asks.Reconcile(exchange.WithMeter(ctx, meter), p.answers.ID, exchange.Common{}, p.holdings[0], reconcile.Start, func(some exchange.Found) error {
		f.differences = append(f.differences, some.Differences...)
		return nil
	})
	if err == nil && end.Rest != reconcile.End {
		err = errors.New("not all was compared")
	}
	f.took = time.Since(began)
	f.bytes, f.rounds, f.read = meter.Sent.Load()+meter.Received.Load(), meter.Requests.Load(), p.read()-before
	return f, err
}

func (p *pair) read() int64 { return p.holdings[0].read.Load() + p.holdings[1].read.Load() }

// mend moves what either side lacks, and nothing else.
func (p *pair) mend(ctx context.Context, differences []reconcile.Difference) (f finding, err error) {
	meter := &exchange.Meter{}
	ctx = exchange.WithMeter(ctx, meter)
	began := time.Now()
	lacked, err := p.asks.Collect(ctx, p.answers.ID, exchange.Common{}, differences)
	if err == nil {
		_, err = p.stores[0].Merge(ctx, lacked)
	}
	if err != nil {
		return f, err
	}
	results, err := p.asks.Supply(ctx, p.answers.ID, p.holdings[0], differences)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	f.took, f.bytes = time.Since(began), meter.Sent.Load()+meter.Received.Load()
	return f, err
}

// same is 1 if both stores have one fingerprint.
func (p *pair) same() (float64, error) {
	var sums [2]records.Fingerprint
	for i, s := range p.stores {
		var err error
		if sums[i], err = s.Fingerprint(records.Coordinate{}, 0); err != nil {
			return 0, err
		}
	}
	if sums[0] != sums[1] {
		return 0, nil
	}
	return 1, nil
}

// nothing is a set without elements, which makes the other side tell everything.
type nothing struct{}

func (nothing) Fingerprint(_, _ reconcile.Bound) (f records.Fingerprint, err error) { return f, nil }
func (nothing) List(_, _ reconcile.Bound, _ int) ([]reconcile.Element, error)       { return nil, nil }

// besiege lets another peer ask for everything for so long, and returns what it got
// and how long, at the median, the honest one took to reconcile meanwhile.
func (p *pair) besiege(ctx context.Context, length time.Duration) (got finding, honest time.Duration, err error) {
	other, err := p.client(ctx)
	if err != nil {
		return got, 0, err
	}
	meter := &exchange.Meter{}
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	before := p.holdings[1].work.Load()
	var attack sync.WaitGroup
	for range atOnce {
		attack.Go(func() {
			for ctx.Err() == nil {
				_, _ = other.Reconcile(exchange.WithMeter(ctx, meter), p.answers.ID, exchange.Common{}, nothing{}, reconcile.Start, func(exchange.Found) error { return nil })
			}
		})
	}
	var took []time.Duration
	for ctx.Err() == nil && err == nil {
		var f finding
		if f, err = p.find(ctx); err == nil {
			took = append(took, f.took)
		}
	}
	attack.Wait()
	if len(took) == 0 {
		return got, 0, fmt.Errorf("the honest peer was never answered: %w", err)
	}
	slices.Sort(took)
	got.bytes, got.rounds = meter.Sent.Load()+meter.Received.Load(), meter.Requests.Load()
	got.work = time.Duration(p.holdings[1].work.Load() - before)
	return got, took[len(took)/2], nil
}

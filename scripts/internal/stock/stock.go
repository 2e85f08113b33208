// Package stock is a network of go-libp2p-kad-dht as the library comes, in virtual
// time, for campaigns that show it beside ours against the same adversaries.
//
// It owns the hosts and their DHTs. Values are whatever they are: the library's own
// rules for keys are replaced by none.
package stock

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// Network is a network of stock nodes, at the first numbers of some links.
type Network struct {
	hosts []host.Host
	dhts  []*kad.IpfsDHT
}

// anything lets every value in: what is stored is not what is measured.
type anything struct{}

func (anything) Validate(string, []byte) error        { return nil }
func (anything) Select(string, [][]byte) (int, error) { return 0, nil }

// New starts nodes with these keys, joins them through the first, and fills their
// tables. Buckets hold k, and a value goes to the k nearest.
func New(ctx context.Context, l *nodetest.Links, n records.Network, keys []crypto.PrivKey, k int) (*Network, error) {
	s := &Network{}
	for i, key := range keys {
		h, err := l.Host(i, key)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.hosts = append(s.hosts, h)
		d, err := kad.New(h,
			kad.ProtocolPrefix(protocol.KadPrefix(n)), kad.Mode(kad.ModeServer), kad.BucketSize(k),
			kad.DisableProviders(), kad.DisableAutoRefresh(), kad.Validator(anything{}))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start kad-dht: %w", err), s.Close())
		}
		s.dhts = append(s.dhts, d)
		if i > 0 {
			if err := h.Connect(ctx, s.info(rand.IntN(i))); err != nil {
				return nil, errors.Join(fmt.Errorf("join: %w", err), s.Close())
			}
		}
	}
	for range 2 {
		s.Refresh()
	}
	return s, nil
}

// Refresh refreshes all tables, as the library does every ten minutes.
func (s *Network) Refresh() {
	var wg sync.WaitGroup
	for _, d := range s.dhts {
		wg.Go(func() { <-d.ForceRefresh() })
	}
	wg.Wait()
}

// Infos are the nodes and where they are.
func (s *Network) Infos() (out []peer.AddrInfo) {
	for i := range s.hosts {
		out = append(out, s.info(i))
	}
	return out
}

func (s *Network) info(i int) peer.AddrInfo {
	return peer.AddrInfo{ID: s.hosts[i].ID(), Addrs: s.hosts[i].Addrs()}
}

// Put stores a value from one node; an error is what the library tells of failure.
func (s *Network) Put(ctx context.Context, from int, key string, value []byte) error {
	return s.dhts[from].PutValue(ctx, key, value)
}

// Get tells whether one node finds the value.
func (s *Network) Get(ctx context.Context, from int, key string, want []byte) bool {
	got, err := s.dhts[from].GetValue(ctx, key)
	return err == nil && string(got) == string(want)
}

// Close ends all nodes.
func (s *Network) Close() error {
	var errs []error
	for _, d := range s.dhts {
		errs = append(errs, d.Close())
	}
	for _, h := range s.hosts {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

// stock is a network of the library's own DHT, with our validator.
type stock struct {
	network records.Network
	hosts   []host.Host
	nodes   []*kad.IpfsDHT
}

// prefix is that of the stock network's protocol.
const prefix = "/stock"

func foundStock(ctx context.Context, s *campaign.Simulation, c *campaign.Campaign, n records.Network, size int) (*stock, error) {
	links := nodetest.NewLinks(nodetest.LinksConfig{Seed: c.Seed})
	out := &stock{network: n}
	for i := range size {
		key, _, err := crypto.GenerateEd25519Key(random{c})
		if err != nil {
			return nil, fmt.Errorf("make key: %w", err)
		}
		h, err := links.Host(i, key)
		if err != nil {
			return nil, err
		}
		s.Cleanup(func() { _ = h.Close() })
		lib, err := kad.New(h, kad.ProtocolPrefix(prefix), kad.Mode(kad.ModeServer), kad.MaxRecordAge(age), kad.ValueGCInterval(age/4),
			kad.Validator(dht.NewValidator(records.NewDoor(n, 64), nil)), kad.DisableProviders())
		if err != nil {
			return nil, fmt.Errorf("start kad-dht: %w", err)
		}
		s.Cleanup(func() { _ = lib.Close() })
		out.hosts, out.nodes = append(out.hosts, h), append(out.nodes, lib)
		if i == 0 {
			continue
		}
		if err := h.Connect(ctx, peer.AddrInfo{ID: out.hosts[0].ID(), Addrs: out.hosts[0].Addrs()}); err != nil {
			return nil, fmt.Errorf("join: %w", err)
		}
	}
	for _, lib := range out.nodes {
		if err := <-lib.ForceRefresh(); err != nil {
			return nil, fmt.Errorf("refresh: %w", err)
		}
	}
	return out, nil
}

// random draws keys from the campaign's seed.
type random struct{ c *campaign.Campaign }

func (r random) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.c.Rand.Uint32())
	}
	return len(b), nil
}

func (s *stock) put(ctx context.Context, from int, r *records.Record) error {
	id, _, err := r.Register()
	if err != nil {
		return err
	}
	return s.nodes[from].PutValue(ctx, id.Key(), r.Bytes())
}

func (s *stock) get(ctx context.Context, from int, id records.RegisterID) (*records.Record, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	value, err := s.nodes[from].GetValue(ctx, id.Key(), kad.Quorum(1))
	if err != nil {
		return nil, err
	}
	return records.NewDoor(s.network, 1).Open(value, time.Now())
}

// discard has every node answer puts as if they were stored, and find
// nothing.
func (s *stock) discard() {
	for _, h := range s.hosts {
		h.SetStreamHandler(prefix+"/kad/1.0.0", func(stream network.Stream) { _ = swallow(stream) })
	}
}

// swallow answers one stream: a put by its echo, any other question with nothing.
func swallow(stream network.Stream) error {
	defer func() { _ = stream.Reset() }()
	r := bufio.NewReader(stream)
	for {
		size, err := binary.ReadUvarint(r)
		if err != nil || size > network.MessageSizeMax {
			return err
		}
		m := make([]byte, size)
		if _, err := io.ReadFull(r, m); err != nil {
			return err
		}
		const typeTag = 1 << 3 // of kad-dht's Message; PUT_VALUE is 0 and not written
		if len(m) > 1 && m[0] == typeTag {
			m = m[:2]
		}
		if _, err := stream.Write(append(binary.AppendUvarint(nil, uint64(len(m))), m...)); err != nil {
			return err
		}
	}
}

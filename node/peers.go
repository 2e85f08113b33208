package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// A node that restarts joins by the peers it knew, so that a network outlives the
// nodes it began with.

var peersKey = ds.NewKey("/node/peers")

const (
	rememberPeers = 32              // peers kept: a few of them will still be there
	rememberEvery = 2 * time.Minute // how much a crash may forget
	rememberLimit = 64 << 10        // bytes of what was remembered, when it is read
)

func storeDir(dir string) string { return filepath.Join(dir, "store") }

// rememberedPeers are the peers of the last run.
func (n *Node) rememberedPeers() ([]peer.AddrInfo, error) {
	b, err := n.store.Datastore().Get(context.Background(), peersKey)
	if errors.Is(err, ds.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("remembered peers: %w", err)
	}
	var infos []peer.AddrInfo
	if len(b) > rememberLimit || json.Unmarshal(b, &infos) != nil {
		n.log.Warn("remembered peers are damaged: joining by the bootstrap list alone")
		return nil, nil
	}
	return infos, nil
}

// keepPeers remembers peers now and then, and when the node ends.
func (n *Node) keepPeers(ctx context.Context) error {
	t := time.NewTicker(rememberEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			n.rememberPeers(ctx)
		case <-ctx.Done():
			n.rememberPeers(context.WithoutCancel(ctx))
			return nil
		}
	}
}

// rememberPeers writes down connected peers that serve, by the addresses they
// can be dialled at. With none connected, what was known stays.
func (n *Node) rememberPeers(ctx context.Context) {
	var infos []peer.AddrInfo
	for _, p := range n.host.Network().Peers() {
		info := n.host.Peerstore().PeerInfo(p)
		if len(infos) == rememberPeers || len(info.Addrs) == 0 || !protocol.Solves(n.config.Network, p) || !n.serves(p) {
			continue
		}
		infos = append(infos, info)
	}
	if len(infos) == 0 {
		return
	}
	b, err := json.Marshal(infos)
	if err == nil && len(b) <= rememberLimit {
		err = n.store.Datastore().Put(ctx, peersKey, b)
	}
	if err != nil {
		n.log.Warn("remember peers", "err", err)
	}
}

// serves tells whether p speaks our network's DHT as a server.
func (n *Node) serves(p peer.ID) bool {
	known, err := n.host.Peerstore().SupportsProtocols(p, protocol.ExchangeID(n.config.Network))
	return err == nil && len(known) > 0
}

// relays are the peers that relay a live topic: the members of its coordinate.
func (n *Node) relays(ctx context.Context, c records.Coordinate) ([]peer.ID, error) {
	hood, err := n.dht.Members(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("find relays: %w", err)
	}
	return hood.Peers, nil
}

// relayCandidates offers connected peers that may relay connections to us.
func (n *Node) relayCandidates(ctx context.Context, num int) <-chan peer.AddrInfo {
	out := make(chan peer.AddrInfo, max(num, 1))
	defer close(out)
	if n.host == nil { // asked while the host is being made
		return out
	}
	for _, p := range n.host.Network().Peers() {
		if len(out) >= num || ctx.Err() != nil {
			break
		}
		if n.host.Network().Connectedness(p) == network.Connected {
			out <- n.host.Peerstore().PeerInfo(p)
		}
	}
	return out
}

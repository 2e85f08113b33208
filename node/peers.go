package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// A node that restarts joins by the peers it knew, so that a network outlives the
// nodes it began with, and whoever controls the bootstrap nodes does not control whom a
// node meets after a restart.

var peersKey = ds.NewKey("/node/peers")

const (
	rememberPeers = 32                 // peers kept: most of them will still be there
	rememberGroup = 2                  // of which so many may be of one IP group, as far as there are others
	rememberEvery = 2 * time.Minute    // how much a crash may forget
	rememberFor   = 7 * 24 * time.Hour // how long one is kept that was not seen again
	rememberLimit = 64 << 10           // bytes of what was remembered, when it is read
	rememberAddrs = 8                  // addresses kept of each
)

func storeDir(dir string) string { return filepath.Join(dir, "store") }

// A knownPeer is one that served us well.
type knownPeer struct {
	peer.AddrInfo
	Since time.Time `json:"since"` // when it first did
	Good  time.Time `json:"good"`  // and when it last did
}

// MarshalJSON writes all of k: the method of the address within would write that alone.
func (k knownPeer) MarshalJSON() ([]byte, error) {
	return json.Marshal(knownPeerJSON{k.ID, k.Addrs, k.Since, k.Good})
}

// UnmarshalJSON reads what MarshalJSON wrote, and what earlier versions did. Nobody is
// known without an id.
func (k *knownPeer) UnmarshalJSON(b []byte) error {
	var info peer.AddrInfo
	if err := info.UnmarshalJSON(b); err != nil {
		return err
	}
	if err := info.ID.Validate(); err != nil {
		return err
	}
	var times struct {
		Since, Good time.Time
	}
	if err := json.Unmarshal(b, &times); err != nil {
		return err
	}
	*k = knownPeer{info, times.Since, times.Good}
	return nil
}

type knownPeerJSON struct {
	ID    peer.ID
	Addrs []ma.Multiaddr
	Since time.Time `json:"since"`
	Good  time.Time `json:"good"`
}

// worthKnowing picks whom to remember, best first, of those known and those that are
// good now: who has been good for longest goes first, so that a crowd of newcomers
// displaces nobody, and of one IP group there are a few as long as there are others.
func worthKnowing(known, good []knownPeer, now time.Time, group func(peer.AddrInfo) netip.Prefix) []knownPeer {
	all := map[peer.ID]knownPeer{}
	for _, k := range slices.Concat(known, good) {
		if before, ok := all[k.ID]; ok {
			k.Since = before.Since
		}
		if now.Sub(k.Good) <= rememberFor {
			all[k.ID] = k
		}
	}
	ranked := slices.SortedFunc(maps.Values(all), func(a, b knownPeer) int {
		return cmp.Or(a.Since.Compare(b.Since), b.Good.Compare(a.Good), cmp.Compare(a.ID, b.ID))
	})
	var best, rest []knownPeer
	seen := map[netip.Prefix]int{}
	for _, k := range ranked {
		if g := group(k.AddrInfo); g.IsValid() {
			if seen[g]++; seen[g] > rememberGroup {
				rest = append(rest, k)
				continue
			}
		}
		best = append(best, k)
	}
	best = append(best, rest...)
	return best[:min(len(best), rememberPeers)]
}

// rememberedPeers are the peers of earlier runs, best first.
func (n *Node) rememberedPeers() ([]knownPeer, error) {
	b, err := n.store.Datastore().Get(context.Background(), peersKey)
	if errors.Is(err, ds.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("remembered peers: %w", err)
	}
	var known []knownPeer
	if len(b) > rememberLimit || json.Unmarshal(b, &known) != nil {
		n.log.Warn("remembered peers are damaged: joining by the bootstrap list alone")
		return nil, nil
	}
	return known, nil
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

// rememberPeers writes down the peers worth it.
func (n *Node) rememberPeers(ctx context.Context) {
	known, err := n.rememberedPeers()
	if err == nil {
		known = worthKnowing(known, n.goodPeers(), n.now(), func(i peer.AddrInfo) netip.Prefix { return dht.GroupOf(i.Addrs) })
		err = n.writePeers(ctx, known)
	}
	if err != nil {
		n.log.Warn("remember peers", "err", err)
	}
}

// goodPeers are the connected peers that serve, against whom nothing speaks, by the
// addresses they can be dialled at.
func (n *Node) goodPeers() (good []knownPeer) {
	now := n.now()
	for _, p := range n.host.Network().Peers() {
		info := n.host.Peerstore().PeerInfo(p)
		info.Addrs = info.Addrs[:min(len(info.Addrs), rememberAddrs)]
		if len(info.Addrs) > 0 && protocol.Solves(n.config.Network, p) && n.serves(p) && n.dht.Reputation(p) >= 0.5 {
			good = append(good, knownPeer{info, now, now})
		}
	}
	return good
}

func (n *Node) writePeers(ctx context.Context, known []knownPeer) error {
	if len(known) == 0 {
		return nil
	}
	b, err := json.Marshal(known)
	if err != nil {
		return err
	}
	if len(b) > rememberLimit {
		return fmt.Errorf("%d peers take %d bytes", len(known), len(b))
	}
	return n.store.Datastore().Put(ctx, peersKey, b)
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

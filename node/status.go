package node

import (
	"cmp"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/protocol/exchange"
)

// Version is the version of this software.
const Version = "0.1.0"

// Status is how the node is doing.
type Status struct {
	PeerID     peer.ID
	Network    string // the name as given
	NetworkID  string // as on the wire
	Ready      bool
	Twin       bool      // another node runs with our identity, as some say whom both asked
	Peers      int       // connected
	Prefix     int       // bits of coordinate that all we hold shares
	Narrowed   int       // of these, bits that our neighbourhood does not share, because we have no room for all of it
	ShortOf    string    // the setting that would have to give more for that; empty when nothing is short
	Members    int       // of our neighbourhood that we know, ourselves included
	Size       float64   // nodes in the network, estimated
	Records    int64     // in the store
	StoreBytes int64     // that they take
	Quota      int64     // of these bytes; 0 for none
	Kept       Kept      // of these bytes, for whom
	Cached     int       // hot places of which we keep copies for others
	CachedSize int64     // bytes of the records in them
	Hot        int       // places of our neighbourhood that many read
	Copies     int       // copies of those that other nodes keep, as far as they told us
	Planted    uint64    // places whose neighbourhood looked planted, once an hour each: an alarm, and no more
	PlantedAt  time.Time // when one last did; zero for never
	Routing    Routing
	Healing    Healing
	Mending    Mending
	Clock      Clock

	ValuesKept    uint64 // registers that others put through kad-dht and that are kept
	ValuesRefused uint64 // and those that were refused

	Heard  uint64        // posts that others announced and we heard by gossip
	Uptime time.Duration // since New
}

// Clock is what passing records between nodes says of the clock: nothing else that they
// say has the time in it. A record more than two minutes ahead of a clock is refused.
type Clock struct {
	Ahead  uint64 // records that other nodes refused to take from us because of that: our clock is fast, or the author's was
	Behind uint64 // records of others that we refused because of it: our clock is slow, or theirs is fast
}

// Kept are bytes of the store by whom they are kept for. The rest is the store's own.
type Kept struct{ Own, Held, Followed, Cached int64 }

func keptOf(s datastore.Stats) Kept {
	bytes := func(c datastore.Class) int64 { return s.Class[c].Bytes }
	return Kept{bytes(datastore.Own), bytes(datastore.Held), bytes(datastore.Followed), bytes(datastore.Cached)}
}

// Mending is what it costs to make what neighbours hold the same, by healing and by
// repair of what is read.
type Mending struct {
	Rate       int       // bytes a second at most, as configured
	Taken      int64     // bytes of records that came, since the node started
	Given      int64     // bytes of records that went
	Compared   []Partner // neighbours that we compared with, the latest first
	Neighbours int       // how many there are to compare with
}

// Partner is a neighbour that we compared with.
type Partner struct {
	ID    peer.ID
	At    time.Time
	Whole bool // to the end, since our region last grew
}

func (n *Node) mending() Mending {
	sent := n.repairs.sent.Load()
	return Mending{
		Rate: n.config.MendRate, Taken: n.repairs.moved.Load() - sent, Given: sent,
		Compared: n.healer.partners(), Neighbours: len(n.dht.Neighbours()),
	}
}

// partners are those with whom we compared, the latest first.
func (h *healer) partners() []Partner {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Partner
	for p, at := range h.ledger.Compared() {
		out = append(out, Partner{p, at, h.ledger.Complete(p)})
	}
	slices.SortFunc(out, func(a, b Partner) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Routing is the state of the routing table.
type Routing struct {
	Table   int    // nodes in it
	Pending int    // nodes that wait for a place in it
	Groups  int    // IP groups that its nodes come from
	Refused uint64 // times that a node was kept out because its IP group was full
	Banned  int    // nodes that we do not deal with for now
}

func routingOf(s dht.Status) Routing {
	return Routing{Table: s.Table, Pending: s.Pending, Groups: s.Groups, Refused: s.Refused, Banned: s.Banned}
}

// Status asks every part how it is.
func (n *Node) Status() Status {
	stats := n.store.Stats()
	view := n.dht.Status()
	s := Status{
		PeerID: n.host.ID(), Network: n.config.Network.Name, NetworkID: n.config.Network.ID(),
		Ready: n.isReady(), Twin: n.twin(), Peers: len(n.host.Network().Peers()),
		Prefix: view.Prefix, Narrowed: view.Narrowed, ShortOf: n.shortOf(view.Narrowed), Members: view.Members, Size: view.Size, Planted: view.Planted, PlantedAt: view.PlantedAt,
		Routing: routingOf(view),
		Records: stats.Records, StoreBytes: stats.Bytes, Quota: n.config.StoreQuota, Kept: keptOf(stats),
		ValuesKept: view.ValuesKept, ValuesRefused: view.ValuesRefused,
		Healing: n.healer.healing(), Mending: n.mending(), Clock: Clock{Ahead: n.ahead.Load(), Behind: n.server.Stats().Refused[exchange.FromTheFuture]}, Heard: n.gossip.Stats().Delivered, Uptime: n.now().Sub(n.started),
	}
	s.Cached, s.CachedSize = n.cache.size()
	warm := n.server.Warm()
	s.Hot, s.Copies = warm.Hot, warm.Copies
	return s
}

// exchangeStatus is what peers may know.
func (n *Node) exchangeStatus() exchange.Status {
	stats := n.store.Stats()
	return exchange.Status{Version: Version, Records: stats.Records, Bytes: stats.Bytes, Whole: n.healer.whole()}
}

// Peer is a connected peer.
type Peer struct {
	ID        peer.ID
	Addr      ma.Multiaddr
	Transport string        // tcp, ws, quic-v1, webtransport, webrtc-direct, p2p-circuit
	RTT       time.Duration // 0 when unknown
	Inbound   bool
	Member    bool // of our neighbourhood
}

// Peers are the connected peers, those of our neighbourhood first.
func (n *Node) Peers() []Peer {
	var out []Peer
	for _, p := range n.host.Network().Peers() {
		conns := n.host.Network().ConnsToPeer(p)
		if len(conns) == 0 {
			continue
		}
		out = append(out, Peer{
			ID: p, Addr: conns[0].RemoteMultiaddr(), Transport: transportOf(conns[0]),
			RTT: n.host.Peerstore().LatencyEWMA(p), Inbound: conns[0].Stat().Direction == network.DirInbound,
			Member: n.dht.IsMember(p),
		})
	}
	slices.SortFunc(out, func(p, q Peer) int {
		if p.Member != q.Member {
			if p.Member {
				return -1
			}
			return 1
		}
		return strings.Compare(string(p.ID), string(q.ID))
	})
	return out
}

// transports are the names of transports in multiaddrs, outermost first.
var transports = []int{ma.P_CIRCUIT, ma.P_WEBTRANSPORT, ma.P_WEBRTC_DIRECT, ma.P_QUIC_V1, ma.P_WSS, ma.P_WS, ma.P_TCP}

// transportOf asks the dialler's address first: an inbound WebRTC connection knows
// no more than the other's UDP port, and then the transport itself says.
func transportOf(c network.Conn) string {
	for _, code := range transports {
		if _, err := c.RemoteMultiaddr().ValueForProtocol(code); err == nil {
			return ma.ProtocolWithCode(code).Name
		}
	}
	return c.ConnState().Transport
}

// Addrs are the addresses to reach the node by, each ending in its id. Where it
// listens on all interfaces they stand for each of them, loopback included.
func (n *Node) Addrs() []string {
	suffix := "/p2p/" + n.host.ID().String()
	var out []string
	for _, a := range n.host.Addrs() {
		out = append(out, a.String()+suffix)
	}
	interfaces, err := n.host.Network().InterfaceListenAddresses()
	if err == nil {
		for _, a := range interfaces {
			out = append(out, a.String()+suffix)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return addrRank(a) - addrRank(b) })
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(a string) bool {
		useless := seen[a] || strings.HasPrefix(a, "/p2p-circuit/") // a relay that is not named leads nowhere
		seen[a] = true
		return useless
	})
}

// addrRank orders addresses for people: outside ones before loopback, IPv4 first.
func addrRank(a string) int {
	rank := 0
	parts := strings.SplitN(a, "/", 4)
	if len(parts) > 2 {
		if ip := net.ParseIP(parts[2]); ip != nil && ip.IsLoopback() {
			rank += 2
		}
		if parts[1] == "ip6" {
			rank++
		}
	}
	return rank
}

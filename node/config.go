package node

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// Config is everything that a node can be told. Start from [Default].
type Config struct {
	// Required.

	DataDir  string          // directory of the store and the keys; created 0700
	Identity crypto.PrivKey  // the node's key; its peer id should solve the network's puzzle, else the node is a client
	Person   records.Key     // who publishes from this node
	Network  records.Network // which network; nodes of others are ignored

	// The network.

	Listen    []string // multiaddrs; port 0 takes one free TCP and one free UDP port for all of them
	Bootstrap []string // multiaddrs ending in /p2p/<id> to join by; none starts a network of one
	Announce  []string // multiaddrs to announce instead of the observed ones, for a published container port
	Client    bool     // neither hold nor relay for others

	// PublicOnly announces and dials no private addresses: a hoster takes those for a
	// scan of its network. What Announce names is announced all the same.
	PublicOnly bool

	// Reaching nodes behind address translation. Each can be turned off alone.

	PortMap      bool // ask the router for a port (UPnP, NAT-PMP)
	AutoNAT      bool // learn from others which addresses they reach (AutoNATv2)
	HolePunch    bool // meet through a relay, then connect directly (DCUtR)
	RelayService bool // relay for others within libp2p's default limits
	RelayClient  bool // be reached through a relay when nothing else works

	// Limits.

	ConnsLow, ConnsHigh int           // connections kept after trimming, and that start it; members of our neighbourhood are never trimmed, others not for a quarter of a second for each of ConnsHigh, at most a minute
	DoorSize            int           // verified records remembered of those that came in, and as many of those read from disk; at most 9 KiB each
	PerIPGroup          int           // nodes of one IP group (IPv4 /16, IPv6 /32) in the routing table; 0 is the network's own: 3 on main, else no limit
	StoreQuota          int64         // bytes of the store above which only what the owner signed is taken in; 0 for no bound
	FreeSpace           int64         // bytes of disk left free by what others want stored; 0 for a tenth of the disk, at most 2 GiB; negative for none
	Cache               int64         // bytes of hot places that we keep copies of for others; 0 keeps none
	Scrub               time.Duration // in which all that is kept is read once, to find what the disk damaged
	HealInterval        time.Duration // between two comparisons with neighbours, or up to a quarter less
	MendRate            int           // bytes a second moved where a neighbour or we lack what both should hold
	PutTimeout          time.Duration // for one member to acknowledge on disk
	FetchTimeout        time.Duration // for one member to answer a round of a timeline

	Log *slog.Logger // nil discards

	// Metrics is where the node registers what it counts, and libp2p what that does,
	// until it ends; nil counts nothing. A registry serves one node. libp2p's own
	// counts are those of the whole process.
	Metrics prometheus.Registerer

	// Traces is told of the four flows as spans, which carry counts and no content; nil
	// traces nothing.
	Traces trace.TracerProvider

	// Seams for simulation.

	HostOptions []libp2p.Option  // when set, they replace all that this package tells libp2p of the network
	Store       *datastore.Store // when set, used instead of opening DataDir; Run closes it
	Now         func() time.Time // nil is time.Now
	HotReaders  int              // peers that read a place in a minute and so make it hot; 0 is [protocol.HotReaders]

	// Serve is given what the node would answer others from, and returns what it
	// answers from instead: a node in all else, that counts or lies. What the node
	// itself reads of its store does not go through it. Nil is the truth.
	Serve func(ServedStore) ServedStore

	// Reconcile is the same for what others compare with what they hold.
	Reconcile func(ServedHoldings) ServedHoldings
}

// ServedStore is what others are answered from.
type ServedStore = exchange.Store

// ServedHoldings is what others compare with what they hold.
type ServedHoldings = exchange.Holdings

// mainPerIPGroup lets a cloud region or an office take part, and no operator of
// one fill a routing table.
const mainPerIPGroup = 3

// perIPGroup is the limit in force, 0 for none.
func (c Config) perIPGroup() int {
	if c.PerIPGroup == 0 && c.Network.Name == records.MainName {
		return mainPerIPGroup
	}
	return c.PerIPGroup
}

// ipGroups are the limits of the routing table, and of places that have more members
// than are asked: a sixteenth of them from one group. Nodes in one machine or one house
// are as many as there are.
func (c Config) ipGroups() dht.IPGroups {
	limit := c.perIPGroup()
	if limit == 0 {
		return dht.IPGroups{}
	}
	return dht.IPGroups{
		PerBucket: (limit + 1) / 2, PerTable: limit, PerPlace: max(1, c.Network.Params.Neighbourhood/4),
		Exempt: dht.PrivateNetworks(),
	}
}

// DefaultPort carries TCP and WebSocket, and as UDP port QUIC, WebTransport and
// WebRTC.
const DefaultPort = 4001

// DefaultListen are the five transports on IPv4 and IPv6 at one port number.
func DefaultListen(port int) []string {
	var out []string
	for _, ip := range []string{"/ip4/0.0.0.0", "/ip6/::"} {
		for _, t := range []string{"/tcp/%d", "/tcp/%d/ws", "/udp/%d/quic-v1", "/udp/%d/quic-v1/webtransport", "/udp/%d/webrtc-direct"} {
			out = append(out, ip+fmt.Sprintf(t, port))
		}
	}
	return out
}

// Default is a node that needs nothing but a directory, keys and a network.
func Default() Config {
	return Config{
		Listen:  DefaultListen(DefaultPort),
		PortMap: true, AutoNAT: true, HolePunch: true, RelayService: true, RelayClient: true,
		ConnsLow: 160, ConnsHigh: 224,
		StoreQuota:   8 << 30,  // some eight million posts
		Cache:        16 << 20, // 500 usual buckets
		DoorSize:     8192,
		Scrub:        7 * 24 * time.Hour,
		HealInterval: 3 * time.Minute,
		MendRate:     1 << 20,
		PutTimeout:   10 * time.Second,
		FetchTimeout: 5 * time.Second,
		Log:          slog.New(slog.DiscardHandler),
		Now:          time.Now,
	}
}

// ErrConfig is the reason of every refusal by Validate.
var ErrConfig = errors.New("configuration")

// Validate tells what is wrong with c and what to write instead.
func (c Config) Validate() error {
	switch {
	case c.DataDir == "" && c.Store == nil:
		return fmt.Errorf("%w: no data directory", ErrConfig)
	case c.Identity == nil:
		return fmt.Errorf("%w: no node key", ErrConfig)
	case c.Person.IsZero():
		return fmt.Errorf("%w: no person key", ErrConfig)
	case c.Network.ID() == "":
		return fmt.Errorf("%w: no network", ErrConfig)
	case c.ConnsLow < 1 || c.ConnsHigh < c.ConnsLow:
		return fmt.Errorf("%w: connections of %d to %d: want 1 <= low <= high", ErrConfig, c.ConnsLow, c.ConnsHigh)
	case c.StoreQuota < 0:
		return fmt.Errorf("%w: a store of %d bytes", ErrConfig, c.StoreQuota)
	case c.DoorSize < 1 || c.PerIPGroup < 0 || c.Cache < 0 || c.HotReaders < 0:
		return fmt.Errorf("%w: a limit is negative or zero", ErrConfig)
	case c.Scrub <= 0:
		return fmt.Errorf("%w: all that is kept is read within %s", ErrConfig, c.Scrub)
	case c.MendRate < 1 || c.HealInterval <= 0:
		return fmt.Errorf("%w: healing every %s with %d bytes a second", ErrConfig, c.HealInterval, c.MendRate)
	case c.PutTimeout <= 0 || c.FetchTimeout <= 0:
		return fmt.Errorf("%w: a timeout is not positive", ErrConfig)
	case len(c.Listen) == 0 && c.HostOptions == nil && !c.Client:
		return fmt.Errorf("%w: no address to listen on", ErrConfig)
	}
	return c.CheckAddrs()
}

// CheckAddrs tells what is wrong with the addresses of c alone, so that a slip in
// one is found before keys are made.
func (c Config) CheckAddrs() error {
	for _, list := range [][]string{c.Listen, c.Announce} {
		if _, err := multiaddrs(list); err != nil {
			return err
		}
	}
	infos, err := addrInfos(c.Bootstrap)
	if err != nil || !c.PublicOnly {
		return err
	}
	for _, info := range infos {
		if len(public(info.Addrs)) == 0 {
			return fmt.Errorf("%w: bootstrap %s is a private address, and this node dials none", ErrConfig, info.Addrs[0])
		}
	}
	return nil
}

func multiaddrs(list []string) ([]ma.Multiaddr, error) {
	out := make([]ma.Multiaddr, 0, len(list))
	for _, s := range list {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("%w: %.200q is not a multiaddr such as /ip4/0.0.0.0/tcp/4001: %w", ErrConfig, s, err)
		}
		out = append(out, a)
	}
	return out, nil
}

func addrInfos(list []string) ([]peer.AddrInfo, error) {
	addrs := make([]ma.Multiaddr, 0, len(list))
	for _, s := range list {
		a, err := ma.NewMultiaddr(s)
		if err == nil {
			_, err = peer.AddrInfoFromP2pAddr(a)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: bootstrap %.200q is not a multiaddr that ends in /p2p/<peer id>: %w", ErrConfig, s, err)
		}
		addrs = append(addrs, a)
	}
	infos, err := peer.AddrInfosFromP2pAddrs(addrs...)
	if err != nil {
		return nil, fmt.Errorf("%w: bootstrap: %w", ErrConfig, err)
	}
	return infos, nil
}

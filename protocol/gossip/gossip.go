package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	core "github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// ErrStopped is for what is asked of gossip, or of a subscription, that has ended.
var ErrStopped = errors.New("has ended")

// Config is what gossip works with. The last five may be left out.
type Config struct {
	Host    host.Host
	Network records.Network
	Door    *records.Door // of the same network

	// Relays finds the peers that relay the shard at a coordinate, ourselves included when we do. It is asked often, and
	// is expected to remember.
	Relays func(context.Context, records.Coordinate) ([]peer.ID, error)

	// Connect makes sure of a connection to a peer. Default: Host.Connect, with the addresses that the host knows.
	Connect func(context.Context, peer.ID) error

	// PeersPerIP is how many peers may share an address before each loses score for it. 0, the default, for any number:
	// test networks and local ones share few addresses. Loopback never counts.
	PeersPerIP int

	// Standing is what a peer did elsewhere, added to its score: 0, or less for offences. It is asked often. Default: 0.
	Standing func(peer.ID) float64

	Now func() time.Time // default: time.Now; the date, to compare revisions with
	Log *slog.Logger     // default: none
}

func (c Config) withDefaults() Config {
	if c.Connect == nil {
		h := c.Host
		c.Connect = func(ctx context.Context, p peer.ID) error { return h.Connect(ctx, peer.AddrInfo{ID: p}) }
	}
	if c.Standing == nil {
		c.Standing = func(peer.ID) float64 { return 0 }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Host == nil, c.Door == nil, c.Relays == nil:
		return errors.New("host, door and relays are required")
	case c.Door.Network() != c.Network:
		return fmt.Errorf("door of network %s in gossip of %s", c.Door.Network(), c.Network)
	case c.PeersPerIP < 0:
		return fmt.Errorf("%d peers per address", c.PeersPerIP)
	}
	return nil
}

// Gossip is this node's part in the live topics of a network. All methods may be called from any goroutine.
type Gossip struct {
	cfg     Config
	log     *slog.Logger
	self    peer.ID
	shardOf map[string]byte // by topic; never changed

	shards *shards
	seen   *seen
	ledger *ledger
	meter  *meter
	links  *links
	index  *index
	counts counts

	announcing chan struct{} // a token for each announcement under way

	relayMu     sync.Mutex // protects relayed
	relayed     func(shard byte) bool
	relayChange chan struct{} // holds one token when relayed is to be asked again

	ran     atomic.Bool
	started chan struct{} // closed when pubsub runs
	stopped chan struct{} // closed when Run has ended
}

// New checks cfg and starts nothing.
func New(cfg Config) (*Gossip, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure gossip: %w", err)
	}
	cfg = cfg.withDefaults()
	shards, shardOf := newShards(cfg.Network)
	return &Gossip{
		cfg:         cfg,
		log:         cfg.Log,
		self:        cfg.Host.ID(),
		shardOf:     shardOf,
		shards:      shards,
		seen:        newSeen(maxSeen),
		ledger:      newLedger(),
		meter:       newMeter(),
		links:       newLinks(cfg),
		index:       newIndex(),
		announcing:  make(chan struct{}, announceAtOnce),
		relayed:     func(byte) bool { return false },
		relayChange: make(chan struct{}, 1),
		started:     make(chan struct{}),
		stopped:     make(chan struct{}),
	}, nil
}

// Coordinate is where on the ring a shard has its relays, as [protocol.ShardCoordinate] works it out.
func (g *Gossip) Coordinate(shard byte) records.Coordinate { return g.links.coordinates[shard] }

// SetRelayed says which shards this node relays; none until it is called. Call it again, also with the same function,
// whenever its answers may have changed. What is no longer relayed is unsubscribed from, unless it is watched.
func (g *Gossip) SetRelayed(relayed func(shard byte) bool) {
	g.relayMu.Lock()
	g.relayed = relayed
	g.relayMu.Unlock()
	select {
	case g.relayChange <- struct{}{}:
	default:
	}
}

// Run takes part until ctx ends, once. It fails if pubsub cannot start or refuses a shard.
func (g *Gossip) Run(ctx context.Context) error {
	if g.ran.Swap(true) {
		return errors.New("run gossip: it has run before")
	}
	defer close(g.stopped)
	t := newTap(g.cfg.Host, ID(g.cfg.Network), g.meter)
	defer t.close()
	life, end := context.WithCancel(ctx) // pubsub's
	defer end()
	ps, err := pubsub.NewGossipSub(life, t, g.options()...)
	if err != nil {
		return fmt.Errorf("start pubsub: %w", err)
	}
	g.shards.start(ps)
	close(g.started)
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return g.keepRelaying(within) })
	group.Go(func() error { return g.links.run(within, g.shards.inUse) })
	group.Go(func() error { return g.keepStanding(within) })
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("run gossip: %w", err)
	}
	return nil
}

// options say how pubsub is to behave. The logger comes first: later ones copy it.
func (g *Gossip) options() []pubsub.Option {
	standing, thresholds := scoring(g.standing, g.cfg.PeersPerIP)
	id := ID(g.cfg.Network)
	return []pubsub.Option{
		pubsub.WithLogger(slog.New(asDebug{g.log.Handler()})),
		pubsub.WithRPCLogger(slog.New(slog.DiscardHandler)),
		pubsub.WithGossipSubProtocols([]core.ID{id}, func(_ pubsub.GossipSubFeature, p core.ID) bool { return p == id }),
		pubsub.WithGossipSubParams(parameters()),
		// Posts are signed by their authors, and their ids come from their bytes.
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithSeenMessagesTTL(seenFor),
		pubsub.WithMaxMessageSize(maxRPC),
		pubsub.WithMaxControlMessageSize(maxRPC),
		pubsub.WithSubscriptionFilter(&filter{shards: g.shardOf, ledger: g.ledger}),
		pubsub.WithAppSpecificRpcInspector(g.inspect),
		// Who relays must have paid for its id.
		pubsub.WithPeerFilter(func(p peer.ID, _ string) bool { return protocol.Solves(g.cfg.Network, p) }),
		// Inline: what does not fit the queue is dropped before it is remembered as seen, so that it can come again.
		pubsub.WithDefaultValidator(pubsub.ValidatorEx(g.validate), pubsub.WithValidatorInline(true)),
		pubsub.WithValidateWorkers(workers()),
		pubsub.WithValidateQueueSize(checkQueue),
		pubsub.WithPeerOutboundQueueSize(sendQueue),
		pubsub.WithPeerScore(standing, thresholds),
		pubsub.WithRawTracer(&tracer{shardOf: g.shardOf, ledger: g.ledger, meter: g.meter, counts: &g.counts}),
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerExchange(false),
	}
}

// standing is what p did here and elsewhere.
func (g *Gossip) standing(p peer.ID) float64 { return g.ledger.score(p) + g.cfg.Standing(p) }

// keepRelaying relays what SetRelayed says until ctx ends.
func (g *Gossip) keepRelaying(ctx context.Context) error {
	for {
		select {
		case <-g.relayChange:
		case <-ctx.Done():
			return nil
		}
		g.relayMu.Lock()
		relayed := g.relayed
		g.relayMu.Unlock()
		if err := g.shards.setRelayed(relayed); err != nil {
			return err
		}
		g.links.poke()
	}
}

// keepStanding settles what peers owe until ctx ends.
func (g *Gossip) keepStanding(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			g.ledger.tick(now)
		case <-ctx.Done():
			return nil
		}
	}
}

// running waits until Run has begun.
func (g *Gossip) running(ctx context.Context) error {
	select {
	case <-g.started:
	case <-g.stopped:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-g.stopped:
		return ErrStopped
	default:
		return nil
	}
}

// asDebug logs whatever pubsub logs at debug level: its warnings are about what peers do, who could fill a log with them.
type asDebug struct{ slog.Handler }

func (h asDebug) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h asDebug) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return h.Handler.Handle(ctx, r)
}

func (h asDebug) WithAttrs(attrs []slog.Attr) slog.Handler {
	return asDebug{h.Handler.WithAttrs(attrs)}
}
func (h asDebug) WithGroup(name string) slog.Handler { return asDebug{h.Handler.WithGroup(name)} }

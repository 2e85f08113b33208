package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/gossip"
	"github.com/starling-social/starling/records"
)

// Node is one node. Its methods are safe for concurrent use.
type Node struct {
	config  Config
	log     *slog.Logger
	voices  voices
	started time.Time

	store  *datastore.Store
	door   *records.Door
	host   host.Host
	dht    *dht.DHT
	server *exchange.Server
	client *exchange.Client
	gossip *gossip.Gossip
	tree   *tree
	holder *holder
	moved  chan struct{} // holds a token when our neighbourhood is another than before
	copies *copies
	hot    *hot
	cache  *cache
	others ServedStore // what others are answered from

	history  *history
	fetching *semaphore.Weighted // frames of readers under way
	repairs  *repairs
	healer   *healer
	shapes   *shapes
	followed *followList
	hearing  *hearing
	metrics  *metrics     // nil where nobody asks
	tracer   trace.Tracer // nil where nobody asks
	tagBook  tagBook
	promises *promises
	mix      mix
	brims    *brims
	uses     *uses
	ahead    atomic.Uint64 // records that others refused as from the future

	narrowedAt time.Time // when we last came to hold more or less of our share; only makeRoom uses it once Run has begun

	stopping atomic.Bool // Run is about to end

	closing sync.Once
	stopped chan struct{} // closed by Close
	tasks   tasks         // what Close waits for
}

// New checks the configuration, opens the store and makes the host and the
// protocols. It starts none of them: call Run, or Close to give up.
func New(c Config) (*Node, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	n := &Node{
		config: c, log: c.Log.With("part", "node"), voices: newVoices(c.Log), started: c.Now(), brims: &brims{}, stopped: make(chan struct{}), moved: make(chan struct{}, 1),
		door: records.NewDoor(c.Network, c.DoorSize), tree: newTree(c.Network), copies: newCopies(), cache: newCache(c.Cache),
		fetching: semaphore.NewWeighted(maxFetches),
		healer:   newHealer(!c.Client), shapes: newShapes(), mix: newMix(),
	}
	n.hearing, n.repairs = newHearing(n), newRepairs(c.MendRate, n.giveShare, func() { n.brims.reach(brimPace) })
	n.metrics = newMetrics(n)
	if c.Traces != nil {
		n.tracer = c.Traces.Tracer(tracerName, trace.WithInstrumentationVersion(Version))
	}
	if err := n.assemble(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// assemble makes the parts from the bottom up: store, host, exchange, DHT, gossip.
func (n *Node) assemble() (err error) {
	c := n.config
	if n.store, err = openStore(c); err != nil {
		return err
	}
	if err = errors.Join(n.readFollowed(), n.resumeLeases()); err != nil {
		return err
	}
	if n.promises, err = openPromises(context.Background(), n.store.Datastore()); err != nil {
		return err
	}
	n.history = newHistory(n.store.Datastore(), n.door, c.Now, c.Log.With("part", "history"))
	if n.host, err = newHost(c, n.brims, n.relayCandidates); err != nil {
		return err
	}
	if n.uses, err = newUses(n.host.ConnManager()); err != nil {
		return err
	}
	n.hot = newHot(c.Network, n.host.ID())
	n.client = exchange.NewClient(exchange.ClientConfig{
		Host: n.host, Door: n.door, Asked: n.uses.by, Now: c.Now, Log: c.Log.With("part", "exchange"),
	})
	offences := protocol.NewOffences() // by the exchange and by kad-dht together
	if n.dht, err = n.newDHT(offences); err != nil {
		return fmt.Errorf("dht: %w", err)
	}
	if err = n.recallNarrowed(context.Background()); err != nil {
		return err
	}
	n.holder = newHolder(n.metrics.timed(n.store), n.offers, c.Now, n.voices.store)
	n.others = n.served()
	n.server = exchange.NewServer(exchange.ServerConfig{
		Host: n.host, Door: n.door, Store: n.others, Holdings: n.reconciled(), Region: n.dht, Status: n.exchangeStatus,
		Asked: n.uses.by, Offended: func(p peer.ID) { n.dht.Report(p, dht.InvalidRecord) }, Offences: offences,
		SpareRate: spareRate(c.MendRate), HotReaders: c.HotReaders, Now: c.Now, Log: c.Log.With("part", "exchange"),
	})
	n.gossip, err = gossip.New(gossip.Config{
		Host: n.host, Network: c.Network, Door: n.door, Relays: n.relays, PeersPerIP: 2 * c.perIPGroup(),
		Standing: n.standing, Now: c.Now, Log: c.Log.With("part", "gossip"),
	})
	if err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	return n.metrics.register()
}

// served is what others are answered from.
func (n *Node) served() exchange.Store {
	if n.config.Serve == nil {
		return discreet{n.holder, n}
	}
	return n.config.Serve(discreet{n.holder, n})
}

// reconciled is what others compare with what they hold.
func (n *Node) reconciled() exchange.Holdings {
	if n.config.Reconcile == nil {
		return n.store.Holdings()
	}
	return n.config.Reconcile(n.store.Holdings())
}

func openStore(c Config) (*datastore.Store, error) {
	if c.Store != nil {
		return c.Store, nil
	}
	return datastore.Open(datastore.Config{
		Dir: storeDir(c.DataDir), Network: c.Network, Owner: c.Person.User(), Log: c.Log.With("part", "store"),
		Limits: datastore.Limits{Quota: c.StoreQuota, Followed: c.StoreQuota / 4, Floor: c.FreeSpace},
		Recent: c.DoorSize,
	})
}

func (n *Node) newDHT(offences *protocol.Offences) (*dht.DHT, error) {
	c := n.config
	bootstrap, err := addrInfos(c.Bootstrap)
	if err != nil {
		return nil, err
	}
	known, err := n.rememberedPeers()
	if err != nil {
		return nil, err
	}
	var remembered []peer.AddrInfo
	for _, k := range known {
		remembered = append(remembered, k.AddrInfo)
	}
	return dht.New(dht.Config{
		Host: n.host, Network: c.Network, Datastore: n.store.Datastore(),
		Bootstrap: bootstrap, Remembered: remembered, PrefixOf: n.client.PrefixOf,
		Server: !c.Client, Addresses: dht.AllAddresses, Now: c.Now, Log: c.Log.With("part", "dht"),
		IPGroups:  c.ipGroups(),
		Registers: values{n}, Door: n.door, Offences: offences, Searched: n.metrics.searched,
	})
}

// Run starts everything and blocks until ctx ends or a part fails. When it
// returns, no goroutine of the node is alive and the store is closed.
func (n *Node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() { n.stopping.Store(true) })()
	g.Go(func() error { return n.dht.Run(ctx) })
	if !n.config.Client {
		g.Go(func() error { return n.server.Run(ctx) })
		g.Go(func() error { return n.heal(ctx) })
		g.Go(func() error { return n.carryDown(ctx) })
		g.Go(func() error { return n.offerUsed(ctx) })
		g.Go(func() error { return n.offerAll(ctx) })
	}
	g.Go(func() error { return n.gossip.Run(ctx) })
	g.Go(func() error { return n.keepPeers(ctx) })
	g.Go(func() error { return n.followPrefix(ctx) })
	g.Go(func() error { return n.hearing.run(ctx) })
	g.Go(func() error { return n.keepCopies(ctx) })
	g.Go(func() error { return n.makeRoom(ctx) })
	g.Go(func() error { return n.refetch(ctx) })
	g.Go(func() error { return n.scrub(ctx) })
	g.Go(func() error { return n.tellBrims(ctx) })
	g.Go(func() error { return n.tellTwin(ctx) })
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, n.Close())
}

// Close ends a node that was never run; Run does the same when it ends. The
// order is that of assemble, reversed.
func (n *Node) Close() (err error) {
	n.closing.Do(func() {
		n.stopping.Store(true)
		n.metrics.withdraw()
		close(n.stopped)
		n.tasks.close()
		if n.client != nil {
			n.client.Close()
		}
		if n.host != nil {
			err = errors.Join(err, n.host.Close())
		}
		if n.store != nil {
			err = errors.Join(err, n.store.Close())
		}
	})
	return err
}

// Ready is closed when the node can find members of places: at once without
// anybody to join, else when its routing table can answer.
func (n *Node) Ready() <-chan struct{} { return n.dht.Ready() }

func (n *Node) isReady() bool {
	select {
	case <-n.Ready():
		return true
	default:
		return false
	}
}

// User is the person who publishes from this node.
func (n *Node) User() records.User { return n.config.Person.User() }

// PeerID is the node's id.
func (n *Node) PeerID() peer.ID { return n.host.ID() }

func (n *Node) now() time.Time { return n.config.Now() }

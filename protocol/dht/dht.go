package dht

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	libprotocol "github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// DHT tells who is responsible for a place. Its methods may be called by any
// goroutine, also before Run.
type DHT struct {
	cfg      Config
	k        int // least size of a neighbourhood
	self     contact
	server   bool
	protocol libprotocol.ID
	crowds   crowds

	surveys *surveys
	lookout *lookout
	ready   chan struct{} // closed once the table can answer
	ended   chan struct{} // closed once Run has ended
	changed chan struct{} // holds one when our neighbourhood changed and nobody has noticed yet
	events  chan event    // what the upkeep should look into
	values  valueCounts
	served  servedCounts

	newcomers chan peer.ID // whom the usher should see

	calls      *calls
	timings    *timings
	reputation *reputation

	mu         sync.Mutex // protects everything below
	run        bool       // Run was called
	wire       *wire      // nil unless running
	prefix     int        // by the rule
	narrowed   int        // bits by which ours is longer, for want of room
	size       float64
	density    float64              // the size by which a crowd is judged
	neighbours map[peer.ID]struct{} // members of our own neighbourhood, ourselves not
}

// Status is the state of a DHT, for people and metrics.
type Status struct {
	Server   bool    // whether we stand in others' tables
	Prefix   int     // bits of our coordinate that all we hold shares
	Narrowed int     // of these, bits that our neighbourhood does not share
	Members  int     // nodes known in our neighbourhood, ourselves included
	Size     float64 // estimated nodes in the network
	Table    int     // nodes in the routing table
	Pending  int     // nodes that wait for a place in it
	Groups   int     // IP groups that the table's nodes come from
	Refused  uint64  // times that a node was kept out because its IP group is full
	Banned   int     // nodes that we do not deal with for now
	Searches uint64  // searches so far
	Hops     uint64  // nodes asked one after the other to find the nearest, of all searches together
	Finds    uint64  // questions for nodes they asked
	Pings    uint64  // and questions for signs of life
	Served   Served  // what others asked of us

	Planted   uint64    // places whose neighbourhood looked planted, once an hour each
	PlantedAt time.Time // when one last did; zero for never

	ValuesKept    uint64 // values that others put through kad-dht and that are kept
	ValuesRefused uint64 // and those that were refused: broken, misplaced, not ours to hold, older, expired
}

// New makes a DHT that does nothing until Run.
func New(cfg Config) (*DHT, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	id := cfg.Host.ID()
	d := &DHT{
		cfg:        cfg,
		k:          cfg.Network.Params.Neighbourhood,
		self:       contactOf(id),
		server:     cfg.Server && protocol.Solves(cfg.Network, id),
		protocol:   protocol.KadPrefix(cfg.Network) + "/kad/1.0.0",
		crowds:     newCrowds(cfg.Host, cfg.IPGroups),
		lookout:    newLookout(),
		ready:      make(chan struct{}),
		ended:      make(chan struct{}),
		changed:    make(chan struct{}, 1),
		events:     make(chan event, maxEvents),
		newcomers:  make(chan peer.ID, maxGreetings),
		calls:      newCalls(),
		timings:    newTimings(),
		reputation: newReputation(),
		neighbours: map[peer.ID]struct{}{},
	}
	d.surveys = newSurveys(cfg.Now, d.crowds)
	if cfg.Server && !d.server {
		cfg.Log.Warn("node id does not solve the network's puzzle: taking part as a client", "network", cfg.Network.ID(), "peer_id", id)
	}
	return d, nil
}

// Run joins the network and keeps our knowledge of it true until ctx ends. It may
// be called once. When it returns nil, ctx has ended; no goroutine of ours is left
// and no request is answered any more.
func (d *DHT) Run(ctx context.Context) error {
	if err := d.begin(); err != nil {
		return err
	}
	defer close(d.ended)
	sub, err := d.subscribe()
	if err != nil {
		return err
	}
	w, err := d.start()
	if err != nil {
		return errors.Join(err, sub.Close())
	}
	d.recallBans(ctx)
	d.mu.Lock()
	d.wire = w
	d.mu.Unlock()
	if len(d.cfg.Bootstrap)+len(d.cfg.Remembered) == 0 {
		close(d.ready)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.listen(ctx, sub) })
	g.Go(func() error { return d.usher(ctx, w) })
	g.Go(func() error { return d.replace(ctx, w) })
	g.Go(func() error { return newKeeper(d, w).run(ctx) })
	err = errors.Join(g.Wait(), d.stop(w), sub.Close())
	d.keepBans(context.WithoutCancel(ctx))
	return err
}

func (d *DHT) begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run {
		return errors.New("dht: Run was called before")
	}
	d.run = true
	return nil
}

// start starts the library. From here on the host answers for us.
func (d *DHT) start() (*wire, error) {
	mode := kad.ModeClient
	if d.server {
		mode = kad.ModeServer
	}
	mayServe := func(p peer.ID) bool { return protocol.Solves(d.cfg.Network, p) }
	opts := []kad.Option{
		kad.ProtocolPrefix(protocol.KadPrefix(d.cfg.Network)),
		kad.Mode(mode),
		kad.BucketSize(bucketSize(d.k)),
		kad.DisableProviders(),
		kad.DisableAutoRefresh(),      // keep.go does it
		kad.LookupCheckConcurrency(0), // nor does it add nodes to its table: usher.go does
		kad.QueryFilter(func(_ any, p peer.AddrInfo) bool { return mayServe(p.ID) }),
		kad.RoutingTableFilter(func(_ any, p peer.ID) bool { return mayServe(p) }),
		kad.AddressFilter(d.cfg.Addresses),
	}
	opts = append(opts, valueOptions(d.cfg, &d.values)...)
	if d.cfg.Datastore != nil {
		opts = append(opts, kad.Datastore(d.cfg.Datastore))
	}
	lib, err := kad.New(discreetHost{d.cfg.Host, d.cfg.Addresses, newGate(d)}, opts...)
	if err != nil {
		return nil, fmt.Errorf("start kad-dht: %w", err)
	}
	messages, err := kadpb.NewProtocolMessenger(lib.MessageSender())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start kad-dht: %w", err), lib.Close())
	}
	return &wire{
		host: d.cfg.Host, network: d.cfg.Network, self: d.self, addresses: d.cfg.Addresses,
		kad: lib, table: newTable(lib.RoutingTable(), d.self, d.cfg.Host, d.cfg.IPGroups), crowds: d.crowds, messages: messages,
		now: d.cfg.Now, calls: d.calls, timings: d.timings, reputation: d.reputation, met: d.met, shun: d.shun, searched: d.cfg.Searched,
	}, nil
}

// stop ends all calls and the library. Closing the library leaves its handler with
// the host and its open streams with their readers: those are ours to end.
func (d *DHT) stop(w *wire) error {
	d.mu.Lock()
	d.wire = nil
	d.mu.Unlock()
	d.calls.end()

	d.cfg.Host.RemoveStreamHandler(d.protocol)
	for _, conn := range d.cfg.Host.Network().Conns() {
		for _, s := range conn.GetStreams() {
			if s.Protocol() == d.protocol {
				_ = s.Reset() // nothing is owed to either side
			}
		}
	}
	if err := w.kad.Close(); err != nil {
		return fmt.Errorf("close kad-dht: %w", err)
	}
	return nil
}

// enter waits until the table can answer and begins a call: ctx ends when the
// caller's does or when Run is about to return, which waits for leave.
func (d *DHT) enter(ctx context.Context) (w *wire, inner context.Context, leave func(), err error) {
	select {
	case <-d.ready:
	case <-d.ended:
		return nil, nil, nil, ErrClosed
	case <-ctx.Done():
		return nil, nil, nil, fmt.Errorf("wait to join the network: %w", ctx.Err())
	}
	if w = d.running(); w == nil {
		return nil, nil, nil, ErrClosed
	}
	inner, leave, err = d.calls.join(ctx)
	return w, inner, leave, err
}

// running is what asks others while we run, else nil.
func (d *DHT) running() *wire {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wire
}

// Ready is closed once the table can answer: at once without nodes to join
// through; when one of them, or anybody else, has answered; or, if nodes are only
// remembered, when none of them did.
func (d *DHT) Ready() <-chan struct{} { return d.ready }

// Server tells whether we may stand in others' tables and hold records.
func (d *DHT) Server() bool { return d.server }

// Prefix is how many bits of our coordinate all that we hold shares: as many as our
// neighbourhood does, and those that [DHT.Narrow] adds.
func (d *DHT) Prefix() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return min(d.prefix+d.narrowed, maxPrefix)
}

// Changed delivers when our neighbourhood has changed, its prefix or its members;
// once for all changes since it was last taken. It is never closed.
func (d *DHT) Changed() <-chan struct{} { return d.changed }

// Neighbours is the members of our own neighbourhood, ourselves not, in no order.
func (d *DHT) Neighbours() []peer.ID {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.neighbours))
}

// IsMember tells whether p is in our own neighbourhood.
func (d *DHT) IsMember(p peer.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.neighbours[p]
	return ok
}

// Holds tells whether c is ours to hold: we serve, and it shares our prefix.
func (d *DHT) Holds(c records.Coordinate) bool {
	return d.server && d.self.at.SharedBits(c) >= d.Prefix()
}

// Size is the estimated number of nodes in the network that serve; 0 before
// anything is known.
func (d *DHT) Size() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.size
}

// Status is our state now.
func (d *DHT) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := Status{Server: d.server, Prefix: min(d.prefix+d.narrowed, maxPrefix), Narrowed: d.narrowed, Members: len(d.neighbours), Size: d.size}
	s.Planted, s.PlantedAt = d.lookout.seen()
	s.ValuesKept, s.ValuesRefused = d.values.kept.Load(), d.values.refused.Load()
	s.Served = d.served.now()
	if d.server {
		s.Members++
	}
	if w := d.wire; w != nil {
		t := w.table.status()
		s.Table, s.Pending, s.Groups, s.Refused = t.size, t.pending, t.groups, t.refused
		s.Banned = d.reputation.banCount(d.cfg.Now())
		s.Searches, s.Hops, s.Finds, s.Pings = w.searches.Load(), w.hops.Load(), w.finds.Load(), w.pings.Load()
	}
	return s
}

// publish makes what a round found known, and tells whether our neighbourhood is
// another than before.
func (d *DHT) publish(prefix int, size sizeEstimate, neighbours []contact) (changed bool) {
	ids := make(map[peer.ID]struct{}, len(neighbours))
	for _, c := range neighbours {
		ids[c.id] = struct{}{}
	}
	d.mu.Lock()
	changed = prefix != d.prefix || !maps.Equal(ids, d.neighbours)
	d.prefix, d.neighbours = prefix, ids
	d.size, d.density = size.size, max(size.size, size.raw()) // a network that grows quickly is not planted
	d.mu.Unlock()
	if changed {
		d.notice()
	}
	return changed
}

package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// ErrUnreached is for an announcement on a shard none of whose relays could be reached.
var ErrUnreached = errors.New("no relay could be reached")

const (
	// watchLinks is how many relays of a watched shard we stay connected to: one that is silent does not matter then.
	watchLinks = 3
	// relayLinks is how many other relays of our own shards we stay connected to: enough to fill a mesh.
	relayLinks = 8
	// linkInterval is how often links are looked at, besides when watchers come and go.
	linkInterval = 10 * time.Second
	// findFor is how long the relays of a shard are taken to be those that were found last.
	findFor = time.Minute
	// announceFor is how long the links of a shard are kept on which we only announced: while pubsub remembers its relays.
	announceFor = time.Minute
	// dialsAtOnce bounds the shards for which relays are looked for at once.
	dialsAtOnce = 8
	// dialTimeout bounds a connection to one relay.
	dialTimeout = 5 * time.Second
	// reachTimeout bounds the search for a first relay: two rounds of dialling.
	reachTimeout = 2 * dialTimeout
	// helloWait is how long a relay that we connected to has to say which shards it relays.
	helloWait = 2 * time.Second
)

// links keeps connections to relays.
type links struct {
	self        peer.ID
	coordinates [protocol.Shards]records.Coordinate
	conns       network.Network
	manager     connmgr.ConnManager
	relays      func(context.Context, records.Coordinate) ([]peer.ID, error)
	connect     func(context.Context, peer.ID) error
	log         *slog.Logger

	wake  chan struct{}                  // holds one token when links are to be looked at
	turns [protocol.Shards]chan struct{} // holds one token while relays of a shard are dialled

	mu        sync.Mutex // protects all below
	found     map[byte]finding
	announced map[byte]time.Time
	held      map[byte][]peer.ID // protected from the connection manager
}

// finding is the relays of a shard as they were found last.
type finding struct {
	relays []peer.ID // other than ourselves
	at     time.Time
}

func newLinks(cfg Config) *links {
	l := &links{
		self:      cfg.Host.ID(),
		conns:     cfg.Host.Network(),
		manager:   cfg.Host.ConnManager(),
		relays:    cfg.Relays,
		connect:   cfg.Connect,
		log:       cfg.Log,
		wake:      make(chan struct{}, 1),
		found:     make(map[byte]finding),
		announced: make(map[byte]time.Time),
		held:      make(map[byte][]peer.ID),
	}
	for i := range l.coordinates {
		l.coordinates[i] = protocol.ShardCoordinate(cfg.Network, byte(i))
		l.turns[i] = make(chan struct{}, 1)
	}
	return l
}

// poke has the links looked at soon.
func (l *links) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run keeps the links that inUse asks for until ctx ends.
func (l *links) run(ctx context.Context, inUse func() (relayed, watched []byte)) error {
	defer l.holdOnly(nil)
	for {
		l.keepAll(ctx, inUse)
		t := time.NewTimer(linkInterval - linkInterval/10 + rand.N(linkInterval/5))
		select {
		case <-t.C:
		case <-l.wake:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
		t.Stop()
	}
}

func (l *links) keepAll(ctx context.Context, inUse func() (relayed, watched []byte)) {
	wanted := l.wanted(inUse())
	l.holdOnly(wanted)
	var g errgroup.Group
	g.SetLimit(dialsAtOnce)
	for shard, n := range wanted {
		g.Go(func() error {
			relays, err := l.find(ctx, shard)
			if err != nil {
				l.log.Debug("keep links", "shard", shard, "error", err)
				return nil
			}
			l.hold(shard, l.join(ctx, shard, relays, n))
			return nil
		})
	}
	_ = g.Wait() // never fails
}

// wanted is how many relays of which shards we stay connected to. All shards that we relay have the same relays, our own
// neighbourhood, so one stands for all.
func (l *links) wanted(relayed, watched []byte) map[byte]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted := make(map[byte]int)
	for shard, last := range l.announced {
		switch {
		case time.Since(last) >= announceFor:
			delete(l.announced, shard)
		case !slices.Contains(relayed, shard):
			wanted[shard] = watchLinks
		}
	}
	for _, shard := range watched {
		wanted[shard] = watchLinks
	}
	if len(relayed) > 0 {
		wanted[relayed[0]] = relayLinks
	}
	return wanted
}

// find returns the relays of a shard other than ourselves.
func (l *links) find(ctx context.Context, shard byte) ([]peer.ID, error) {
	relays, err := l.relays(ctx, l.coordinates[shard])
	if err != nil {
		return nil, fmt.Errorf("find relays of shard %02x: %w", shard, err)
	}
	others := slices.DeleteFunc(slices.Clone(relays), func(p peer.ID) bool { return p == l.self })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found[shard] = finding{others, time.Now()}
	return others, nil
}

// known tells whether one of peers was found to relay a shard a short while ago. An announcement that can rely on that
// does not wait for the DHT.
func (l *links) known(shard byte, peers []peer.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.found[shard]
	return time.Since(f.at) < findFor && overlap(f.relays, peers)
}

func overlap(a, b []peer.ID) bool {
	return slices.ContainsFunc(a, func(p peer.ID) bool { return slices.Contains(b, p) })
}

// join connects to relays of a shard until we are connected to n, or there are no more to try. It returns those we are
// connected to. One goroutine at a time dials for a shard, so that two do not choose different relays.
func (l *links) join(ctx context.Context, shard byte, relays []peer.ID, n int) []peer.ID {
	select {
	case l.turns[shard] <- struct{}{}:
		defer func() { <-l.turns[shard] }()
	case <-ctx.Done():
		return nil
	}
	linked, idle := l.split(relays)
	rand.Shuffle(len(idle), func(i, j int) { idle[i], idle[j] = idle[j], idle[i] }) // not everybody to the nearest
	for len(linked) < n && len(idle) > 0 && ctx.Err() == nil {
		batch := idle[:min(n-len(linked), len(idle))]
		idle = idle[len(batch):]
		linked = append(linked, l.dial(ctx, batch)...)
	}
	return linked
}

// split tells the peers that we are connected to from the others.
func (l *links) split(peers []peer.ID) (linked, idle []peer.ID) {
	for _, p := range peers {
		if l.conns.Connectedness(p) == network.Connected {
			linked = append(linked, p)
		} else {
			idle = append(idle, p)
		}
	}
	return linked, idle
}

// dial connects to all of peers at once and returns those that answered.
func (l *links) dial(ctx context.Context, peers []peer.ID) []peer.ID {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	answered := make([]bool, len(peers))
	var wg sync.WaitGroup
	for i, p := range peers {
		wg.Go(func() {
			err := l.connect(ctx, p)
			answered[i] = err == nil
			if err != nil {
				l.log.Debug("connect to relay", "peer_id", p, "error", err)
			}
		})
	}
	wg.Wait()
	var up []peer.ID
	for i, p := range peers {
		if answered[i] {
			up = append(up, p)
		}
	}
	return up
}

// hold protects the connections to the relays of a shard, and no longer those it protected before.
func (l *links) hold(shard byte, linked []peer.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tag := fmt.Sprintf("live/%02x", shard)
	for _, p := range l.held[shard] {
		if !slices.Contains(linked, p) {
			l.manager.Unprotect(p, tag)
		}
	}
	for _, p := range linked {
		l.manager.Protect(p, tag)
	}
	if len(linked) == 0 {
		delete(l.held, shard)
		return
	}
	l.held[shard] = linked
}

// holdOnly ends the protection of all shards that are not wanted.
func (l *links) holdOnly(wanted map[byte]int) {
	l.mu.Lock()
	var over []byte
	for shard := range l.held {
		if wanted[shard] == 0 {
			over = append(over, shard)
		}
	}
	l.mu.Unlock()
	for _, shard := range over {
		l.hold(shard, nil)
	}
}

// announcing keeps links for a shard for a while.
func (l *links) announcing(shard byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.announced[shard] = time.Now()
}

// reach makes sure that a relay hears what is said on a shard, unless there is none but ourselves.
func (g *Gossip) reach(ctx context.Context, shard byte) error {
	topic, err := g.shards.topic(shard)
	if err != nil {
		return err
	}
	defer g.links.announcing(shard)
	on := topic.ListPeers()
	if g.links.known(shard, on) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	relays, err := g.links.find(ctx, shard)
	switch {
	case err != nil && len(on) == 0:
		return err
	case err != nil, len(relays) == 0, overlap(relays, on):
		return nil
	}
	linked := g.links.join(ctx, shard, relays, watchLinks)
	if len(linked) == 0 {
		return fmt.Errorf("%w: shard %02x has %d", ErrUnreached, shard, len(relays))
	}
	return awaitHello(ctx, topic, linked)
}

// awaitHello waits until all of the given peers have said that they are on a topic, or one has and the time is over.
func awaitHello(ctx context.Context, topic *pubsub.Topic, peers []peer.ID) error {
	ctx, cancel := context.WithTimeout(ctx, helloWait)
	defer cancel()
	events, err := topic.EventHandler()
	if err != nil {
		return fmt.Errorf("await relays on %s: %w", topic, err)
	}
	defer events.Cancel()
	joined := make(map[peer.ID]struct{})
	for len(joined) < len(peers) {
		e, err := events.NextPeerEvent(ctx)
		if err != nil && len(joined) == 0 {
			return fmt.Errorf("%w: none of %d says that it is on %s", ErrUnreached, len(peers), topic)
		}
		if err != nil {
			return nil
		}
		if e.Type == pubsub.PeerJoin && slices.Contains(peers, e.Peer) {
			joined[e.Peer] = struct{}{}
		}
	}
	return nil
}

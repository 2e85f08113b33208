package dht

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"github.com/starling-social/starling/protocol"
)

const (
	// Rounds come quickly at first, when many may be joining with us, then less and
	// less often. One costs some ten questions and as many pings as we have neighbours.
	firstPace = 500 * time.Millisecond
	slowPace  = 2 * time.Minute
	// alonePace is how often nodes to join through are tried while there is nobody else.
	alonePace = 5 * time.Second
	// settleTime is how long a newcomer or a failure waits for others before
	// the neighbourhood is looked at again.
	settleTime = time.Second
	settleMost = 30 * time.Second
	// unsureTime is how soon we look again before we believe something.
	unsureTime = 3 * time.Second
	paceJitter = 0.2

	bootstrapWidth   = 8 // nodes dialled at a time to join through, by chance
	anchors          = 4 // and of those remembered the best, always (as Bitcoin's block-relay-only peers)
	bootstrapTimeout = 5 * time.Second

	complainAge = 5 * time.Minute // how often the log says that there is nobody to join through
	sizeNews    = 1.5             // by how much the size has to move to be worth a line in the log
)

// A keeper keeps what a DHT knows true, in rounds. All its fields belong to the
// goroutine that runs it.
type keeper struct {
	*DHT
	wire *wire

	rule       Rule
	joined     bool                 // somebody has answered
	silences   int                  // rounds in a row in which nobody answered
	logged     float64              // the size that was last logged
	complained time.Time            // when the log last said that there is nobody to join through
	explored   *region              // our neighbourhood when it was last looked through over disjoint paths
	found      map[peer.ID]struct{} // by the last round
	newcomers  map[peer.ID]struct{} // met since the last round, which had not found them
	suspects   map[peer.ID]struct{} // failed since the last round
}

func newKeeper(d *DHT, w *wire) *keeper {
	k := &keeper{DHT: d, wire: w, newcomers: map[peer.ID]struct{}{}, suspects: map[peer.ID]struct{}{}}
	k.rule = Rule{K: d.k, Self: k.counted()}
	return k
}

// run makes rounds until ctx ends: full ones at a pace that slows while nothing
// changes, and small ones soon after something happened.
func (k *keeper) run(ctx context.Context) error {
	pace, settle := firstPace, settleTime
	full := k.cfg.Now() // when the next full round is due
	timer := time.NewTimer(0)
	defer timer.Stop()
	waking := true // whether the timer stands for something sooner than full
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-k.events:
			if k.note(e) && !waking {
				waking = true
				timer.Reset(min(settle, full.Sub(k.cfg.Now())))
			}
		case <-timer.C:
			isFull := !k.joined || !k.cfg.Now().Before(full)
			changed := k.round(ctx, isFull)
			settle = nextSettle(settle, changed || isFull)
			if isFull {
				pace = nextPace(pace, changed)
				full = k.cfg.Now().Add(jitter(pace))
			}
			wait := min(full.Sub(k.cfg.Now()), k.patience())
			waking = wait <= settle
			timer.Reset(wait)
		}
	}
}

// patience is how long the next round may wait at most: not long when the last one
// saw something that another has to confirm, that nobody answers or that our prefix
// should be another, or while we look for somebody to join through.
func (k *keeper) patience() time.Duration {
	switch {
	case k.silences == 1 || k.joined && k.rule.Unsure(k.ruled()):
		return unsureTime
	case k.wire.table.lib.Size() == 0 && len(k.entries()) > 0:
		return alonePace
	default:
		return math.MaxInt64
	}
}

// nextSettle is how long small rounds wait: longer while they are for nothing.
func nextSettle(settle time.Duration, worth bool) time.Duration {
	if worth {
		return settleTime
	}
	return min(2*settle, settleMost)
}

// nextPace is how long to wait after a full round: longer when nothing changed.
func nextPace(pace time.Duration, changed bool) time.Duration {
	if changed {
		return max(pace/2, firstPace)
	}
	return min(2*pace, slowPace)
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 + paceJitter*(2*rand.Float64()-1)))
}

// note takes an event and tells whether it calls for a round soon. That somebody is
// connected whom the last round found is no news: connections come and go, also because
// of rounds, so that two who took it for news would have each other look for ever.
func (k *keeper) note(e event) bool {
	if e.failed {
		k.suspects[e.node] = struct{}{}
		return true
	}
	if _, known := k.found[e.node]; known || !k.ground().holds(coordinateOf(e.node)) {
		return false
	}
	k.newcomers[e.node] = struct{}{}
	return true
}

// ground is the region that decides our prefix: our neighbourhood and its sibling.
func (k *keeper) ground() region { return regionOf(k.self.at, max(0, k.ruled()-1)) }

// round looks at our surroundings anew: who is there, how large the network is,
// which prefix follows. It tells whether our neighbourhood changed.
func (k *keeper) round(ctx context.Context, full bool) (changed bool) {
	dead := k.checkSuspects(ctx, full)
	ground := k.ground()
	found, err := k.wire.search(ctx, string(k.self.id), ground.bits, bucketSize(k.k), patient, k.seeds(ctx, full)...)
	if err != nil {
		return false // Run is ending
	}
	if found.silent() {
		k.silent(found)
		return false
	}
	k.silences = 0
	k.remember(found.all())
	k.evict(dead)
	if !k.joined && found.replies == 0 && len(k.cfg.Bootstrap) > 0 {
		return false
	}
	defer k.open()
	k.wire.visits.noteFrom(k.seen(ground, found), k.cfg.Now())
	k.surveys.put(k.surveys.fresh(ground, found, k.member()))
	k.estimate(ctx, ground, found, full)
	if full {
		k.greetConnected(k.wire)
		k.keepBans(ctx)
		k.refresh(ctx)
	}
	if ctx.Err() != nil {
		return false
	}
	changed = k.settle(found.all())
	if !k.joined && found.replies > 0 {
		k.join()
	}
	k.explore(ctx)
	return changed
}

// remember notes whom a round found.
func (k *keeper) remember(found []contact) {
	k.found = make(map[peer.ID]struct{}, len(found))
	for _, c := range found {
		k.found[c.id] = struct{}{}
	}
}

// explore looks through a neighbourhood that is new to us over disjoint paths: those
// nearest to us, whom rounds ask, may be there because of us. Whom it finds is in the
// table by the next round.
func (k *keeper) explore(ctx context.Context) {
	home := regionOf(k.self.at, k.ruled())
	if k.rule.Unsure(home.bits) || k.explored != nil && *k.explored == home {
		return
	}
	if _, err := k.wire.explore(ctx, home, bucketSize(k.k), patient); err == nil {
		k.explored = &home
	}
}

// join says that we are part of the network.
func (k *keeper) join() {
	k.joined = true
	s := k.Status()
	k.logged = s.Size
	k.cfg.Log.Info("joined the network", "network", k.cfg.Network.ID(),
		"prefix", s.Prefix, "members", s.Members, "network_size", math.Round(s.Size))
}

// open lets those in who wait for us to be ready.
func (k *keeper) open() {
	select {
	case <-k.ready:
	default:
		close(k.ready)
	}
}

// silent notes that nobody answered. Once it may be our own link; twice, they are
// taken for dead, so that we join anew through the bootstrap nodes.
func (k *keeper) silent(found result) {
	if k.silences++; k.silences == 1 {
		k.cfg.Log.Warn("no node answers", "asked", len(found.dead), "err", found.err)
		return
	}
	k.evict(found.dead)
}

// evict takes nodes that did not answer out of the table.
func (k *keeper) evict(dead []peer.ID) {
	for _, p := range dead {
		k.wire.silent(p)
	}
}

// seeds is whom a search of our surroundings begins with besides the table: the
// newcomers; while the table is empty, nodes to join through; and in full rounds
// whom one of those names that we have lost sight of. Without that, two halves of
// a network that was cut would never find together again.
func (k *keeper) seeds(ctx context.Context, full bool) []peer.ID {
	seeds := slices.Collect(maps.Keys(k.newcomers))
	clear(k.newcomers)
	switch {
	case k.wire.table.lib.Size() == 0, !k.joined: // whoever dialled us first is not who we join by
		return append(seeds, k.bootstrap(ctx)...)
	case full:
		return append(seeds, k.reintroduce(ctx)...)
	}
	return seeds
}

// reintroduce asks one of the nodes to join through, if we are not connected to
// it, who is near us.
func (k *keeper) reintroduce(ctx context.Context) (named []peer.ID) {
	lost := slices.DeleteFunc(k.entries(), func(node peer.AddrInfo) bool {
		return node.ID == k.self.id || k.cfg.Host.Network().Connectedness(node.ID) == network.Connected
	})
	if len(lost) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, bootstrapTimeout)
	defer cancel()
	node := lost[rand.IntN(len(lost))]
	if err := k.connect(ctx, node); err != nil {
		return nil // as while it is away
	}
	for _, c := range k.wire.ask(ctx, node.ID, find, string(k.self.id)).named {
		named = append(named, c.id)
	}
	return append(named, node.ID)
}

// entries is the nodes to join through.
func (k *keeper) entries() []peer.AddrInfo {
	return slices.Concat(k.cfg.Bootstrap, k.cfg.Remembered)
}

// entriesToTry is some of them: the anchors, and others by chance.
func (k *keeper) entriesToTry() []peer.AddrInfo {
	first := min(anchors, len(k.cfg.Remembered))
	others := slices.Concat(k.cfg.Bootstrap, k.cfg.Remembered[first:])
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	return slices.Concat(k.cfg.Remembered[:first], others[:min(bootstrapWidth, len(others))])
}

// bootstrap connects to some of the nodes to join through and returns those it
// reached.
func (k *keeper) bootstrap(ctx context.Context) (reached []peer.ID) {
	ctx, cancel := context.WithTimeout(ctx, bootstrapTimeout)
	defer cancel()
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex // protects reached and failure
		failure error
	)
	entries := k.entriesToTry()
	for _, node := range entries {
		if node.ID == k.self.id {
			continue
		}
		wg.Go(func() {
			err := k.connect(ctx, node)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failure = err
			} else {
				reached = append(reached, node.ID)
			}
		})
	}
	wg.Wait()
	if now := k.cfg.Now(); len(reached) == 0 && failure != nil && now.Sub(k.complained) > complainAge {
		k.complained = now
		k.cfg.Log.Warn("no node to join through can be reached", "tried", len(entries), "err", failure)
	}
	return reached
}

func (k *keeper) connect(ctx context.Context, node peer.AddrInfo) error {
	if !protocol.Solves(k.cfg.Network, node.ID) {
		return fmt.Errorf("node %s may not serve network %s: its id does not solve the puzzle", node.ID, k.cfg.Network.ID())
	}
	if s, ok := k.cfg.Host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(node.ID) // we have a pace of our own, and it may have just come up
	}
	if err := k.cfg.Host.Connect(ctx, node); err != nil {
		return fmt.Errorf("connect to %s: %w", node.ID, err)
	}
	return nil
}

// checkSuspects pings those that failed and, in full rounds, those of the table
// that were not heard of for long. It returns those that do not answer.
func (k *keeper) checkSuspects(ctx context.Context, full bool) []peer.ID {
	if full {
		for _, p := range k.stale() {
			k.suspects[p] = struct{}{}
		}
	}
	suspects := slices.Collect(maps.Keys(k.suspects))
	clear(k.suspects)
	return k.wire.check(ctx, suspects)
}

// settle draws the conclusions of a round: our prefix and who our neighbours are.
// It tells whether either changed.
func (k *keeper) settle(found []contact) (changed bool) {
	was := k.ruled()
	is := k.rule.Next(was, k.census(), k.joined)
	home := regionOf(k.self.at, is)
	neighbours := slices.DeleteFunc(slices.Clone(found), func(c contact) bool { return !home.holds(c.at) })
	changed = k.publish(is, k.rule.size, neighbours)
	members := len(neighbours) + k.counted()
	switch moved := k.rule.Size() / k.logged; {
	case is != was:
		k.cfg.Log.Info("prefix changed", "prefix", is, "was", was, "members", members, "network_size", math.Round(k.rule.Size()))
	case k.joined && (moved > sizeNews || moved < 1/sizeNews):
		k.cfg.Log.Info("network size changed", "network_size", math.Round(k.rule.Size()), "was", math.Round(k.logged), "prefix", is, "members", members)
	default:
		return changed
	}
	k.logged = k.rule.Size()
	return changed
}

// census is what the table knows. It knows all members of the regions that count,
// because its buckets have room for more than the rule asks for, and only them:
// those that did not answer a search are gone from it.
func (k *keeper) census() (nodes Census) {
	for _, p := range k.wire.kad.RoutingTable().ListPeers() {
		nodes[min(k.self.at.SharedBits(coordinateOf(p)), maxPrefix)]++
	}
	return nodes
}

// counted is what we add to a count of the nodes that serve.
func (k *keeper) counted() int { return len(k.member()) }

package gossip_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/gossip"
	"github.com/starling-social/starling/records"
)

// birds is the tag that tests speak of, fish one of its shard, stones one of another.
const birds = records.Tag("birds")

var (
	fish   = tagWhere("fish", func(shard byte) bool { return shard == protocol.ShardOf(birds) })
	stones = tagWhere("stones", func(shard byte) bool { return shard != protocol.ShardOf(birds) })
)

// tagWhere is the first tag of a family whose shard is as wanted.
func tagWhere(family string, wanted func(shard byte) bool) records.Tag {
	for i := 0; ; i++ {
		if tag := records.Tag(fmt.Sprintf("%s%d", family, i)); wanted(protocol.ShardOf(tag)) {
			return tag
		}
	}
}

// world is a network in virtual time.
type world struct {
	*testing.T
	links   *nodetest.Links
	network records.Network
	members []*member
	hosts   []host.Host   // of members and others, by their node on the links
	random  *rand.Rand    // of the goroutine that lays the network out
	salts   atomic.Uint64 // of posts, so far

	mu     sync.Mutex // protects all below, which members ask for
	ids    []peer.ID  // of members
	relays func(shard byte) []int
}

// member is a node of it.
type member struct {
	*gossip.Gossip
	host   host.Host
	author records.Key
	stop   func()
}

// inWorld runs a scenario in virtual time, on links that are alike unless cfg says otherwise.
func inWorld(t *testing.T, cfg nodetest.LinksConfig, scenario func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, links: nodetest.NewLinks(cfg), random: rand.New(rand.NewPCG(7, cfg.Seed))}
		network, err := records.TestNetwork("gossip-test")
		w.must(err)
		w.network = network
		w.Cleanup(w.end)
		scenario(w)
	})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// end stops all members at once, as at the end of a day, and then closes the hosts.
func (w *world) end() {
	var all sync.WaitGroup
	for _, m := range w.members {
		all.Go(m.stop)
	}
	all.Wait()
	for _, h := range w.hosts {
		all.Go(func() { _ = h.Close() })
	}
	all.Wait()
	elapse(time.Minute) // for what is under way
}

// size is how large a scenario is: smaller under -short, as with the race detector.
func size(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

// elapse lets virtual time pass, and everything happen that happens by then.
func elapse(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

func seed(n int) (s [ed25519.SeedSize]byte) {
	binary.BigEndian.PutUint64(s[:], uint64(n)+1)
	return s
}

func nodeKey(n int) crypto.PrivKey {
	s := seed(n)
	k, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(s[:]))
	if err != nil {
		panic(err) // an Ed25519 key is one
	}
	return k
}

// relayed says which members relay a shard, by their numbers. By default everybody relays everything.
func (w *world) relayed(by func(shard byte) []int) {
	w.mu.Lock()
	w.relays = by
	w.mu.Unlock()
	for n, m := range w.members {
		m.SetRelayed(func(shard byte) bool { return w.doesRelay(n, shard) })
	}
}

func (w *world) doesRelay(n int, shard byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.relays == nil || slices.Contains(w.relays(shard), n)
}

// host starts a bare host on the next free node of the links.
func (w *world) host() host.Host {
	w.Helper()
	h, err := w.links.Host(len(w.hosts), nodeKey(len(w.hosts)))
	w.must(err)
	w.hosts = append(w.hosts, h)
	return h
}

// add starts n members that know of each other's addresses and are not connected. They relay what w.relayed says.
func (w *world) add(n int, change ...func(*gossip.Config)) {
	w.Helper()
	for range n {
		w.addOne(change...)
	}
	for _, m := range w.members {
		w.introduce(m.host)
	}
	synctest.Wait()
}

// introduce tells everybody a host's addresses.
func (w *world) introduce(h host.Host) {
	for _, m := range w.members {
		if m.host != h {
			m.host.Peerstore().AddAddrs(h.ID(), h.Addrs(), time.Hour)
		}
	}
}

func (w *world) addOne(change ...func(*gossip.Config)) {
	w.Helper()
	n := len(w.members)
	h := w.host()
	cfg := gossip.Config{
		Host: h, Network: w.network, Door: records.NewDoor(w.network, 1024),
		Relays: func(_ context.Context, at records.Coordinate) ([]peer.ID, error) { return w.relaysAt(at), nil },
	}
	for _, c := range change {
		c(&cfg)
	}
	g, err := gossip.New(cfg)
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.Errorf("member %d: %v", n, err)
		}
	})
	w.members = append(w.members, &member{Gossip: g, host: h, author: records.KeyFromSeed(seed(n)), stop: stop})
	w.mu.Lock()
	w.ids = append(w.ids, h.ID())
	w.mu.Unlock()
	g.SetRelayed(func(shard byte) bool { return w.doesRelay(n, shard) })
}

func (w *world) relaysAt(at records.Coordinate) (peers []peer.ID) {
	w.mu.Lock()
	ids := slices.Clone(w.ids)
	w.mu.Unlock()
	for shard := range protocol.Shards {
		if protocol.ShardCoordinate(w.network, byte(shard)) != at {
			continue
		}
		for n, id := range ids {
			if w.doesRelay(n, byte(shard)) {
				peers = append(peers, id)
			}
		}
	}
	return peers
}

// only relays nothing but the shards of some tags, which keeps a large network small.
func only(members int, tags ...records.Tag) func(shard byte) []int {
	all := make([]int, members)
	for i := range all {
		all[i] = i
	}
	return func(shard byte) []int {
		for _, tag := range tags {
			if protocol.ShardOf(tag) == shard {
				return all
			}
		}
		return nil
	}
}

func (w *world) connect(a, b host.Host) {
	w.Helper()
	w.must(a.Connect(w.Context(), peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()}))
}

// weave connects every member to the next and to some others, and lets meshes form.
func (w *world) weave(others int) {
	w.Helper()
	for i, m := range w.members {
		w.connect(m.host, w.members[(i+1)%len(w.members)].host)
		for range others {
			if j := w.random.IntN(len(w.members)); j != i {
				w.connect(m.host, w.members[j].host)
			}
		}
	}
	elapse(3 * time.Second)
}

// post is a new post by a member, dated now.
func (w *world) post(m *member, text string, tags ...records.Tag) *records.Record {
	w.Helper()
	return w.postAt(m, time.Now(), text, tags...)
}

func (w *world) postAt(m *member, at time.Time, text string, tags ...records.Tag) *records.Record {
	w.Helper()
	tags = slices.Clone(tags)
	slices.Sort(tags)
	var salt [8]byte
	binary.BigEndian.PutUint64(salt[:], w.salts.Add(1))
	draft, err := records.NewPost(records.MillisOf(at), salt, records.PostHead{Tags: tags}, records.PostBody{Text: text})
	w.must(err)
	r, err := records.Seal(w.Context(), w.network, records.AuthorSigner(m.author), draft)
	w.must(err)
	return r
}

// announce has a member announce a new post.
func (w *world) announce(m *member, text string, tags ...records.Tag) *records.Record {
	w.Helper()
	r := w.post(m, text, tags...)
	w.must(m.Announce(w.Context(), r))
	return r
}

// posts has all members in turn announce n posts in all.
func (w *world) posts(n int, every time.Duration) (all []*records.Record) {
	w.Helper()
	for i := range n {
		all = append(all, w.announce(w.members[i%len(w.members)], fmt.Sprint(i), birds))
		elapse(every)
	}
	return all
}

// ear collects what a subscription hears.
type ear struct {
	sub *gossip.Subscription

	mu     sync.Mutex // protects all below
	heard  map[records.ID]int
	at     map[records.ID]time.Time
	missed int
}

// listen subscribes a member and collects until the test ends.
func (w *world) listen(m *member, tags ...records.Tag) *ear {
	w.Helper()
	sub, err := m.Subscribe(context.Background(), tags...)
	w.must(err)
	w.Cleanup(sub.Close)
	e := &ear{sub: sub, heard: make(map[records.ID]int), at: make(map[records.ID]time.Time)}
	go func() {
		for event := range sub.Events() {
			e.take(event)
		}
	}()
	return e
}

func (e *ear) take(event gossip.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.missed += event.Missed
	if event.Record != nil {
		e.heard[event.Record.ID()]++
		e.at[event.Record.ID()] = time.Now()
	}
}

// times is how often a record was heard, all how many different ones were.
func (e *ear) times(r *records.Record) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[r.ID()]
}

func (e *ear) all() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.heard)
}

// wantOnce checks that each ear heard each record exactly once, and nothing else.
func wantOnce(tb testing.TB, ears []*ear, posts []*records.Record) {
	tb.Helper()
	for i, e := range ears {
		for _, r := range posts {
			if n := e.times(r); n != 1 {
				tb.Errorf("ear %d heard %s %d times", i, r.ID(), n)
			}
		}
		if e.all() != len(posts) || e.missed != 0 {
			tb.Errorf("ear %d heard %d posts and missed %d, want %d and 0", i, e.all(), e.missed, len(posts))
		}
	}
}

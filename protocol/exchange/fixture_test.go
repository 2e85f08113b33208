package exchange_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

func testNetwork(tb testing.TB, name string) records.Network {
	tb.Helper()
	n, err := records.TestNetwork(name)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// net is the network of all tests that need no other.
func net(tb testing.TB) records.Network { return testNetwork(tb, "exchange") }

func newDoor(tb testing.TB) *records.Door { return records.NewDoor(net(tb), 4096) }

func person(i int) records.Key {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
	return records.KeyFromSeed(seed)
}

// noon is when the posts of tests are made; the bubbles of synctest begin later.
const noon = records.Millis(946_641_600_000) // 1999-12-31 12:00 UTC

// post is the nth post of an author, a second after the one before, with tags.
func post(tb testing.TB, author, n int, tags ...records.Tag) *records.Record {
	tb.Helper()
	return postAt(tb, net(tb), author, n, noon+records.Millis(n)*1000, tags...)
}

func postAt(tb testing.TB, in records.Network, author, n int, at records.Millis, tags ...records.Tag) *records.Record {
	tb.Helper()
	var salt [8]byte
	binary.BigEndian.PutUint64(salt[:], uint64(n))
	slices.Sort(tags)
	d, err := records.NewPost(at, salt, records.PostHead{Tags: tags}, records.PostBody{Text: "the quick brown fox"})
	if err != nil {
		tb.Fatal(err)
	}
	return seal(tb, in, author, d)
}

// edit is a later version of a post.
func edit(tb testing.TB, r *records.Record, author int) *records.Record {
	tb.Helper()
	d, err := records.EditPost(r, r.Rev().Millis()+1, records.PostBody{Text: "jumps over the lazy dog"})
	if err != nil {
		tb.Fatal(err)
	}
	return seal(tb, net(tb), author, d)
}

func seal(tb testing.TB, in records.Network, author int, d records.Draft) *records.Record {
	tb.Helper()
	r, err := records.Seal(context.Background(), in, records.AuthorSigner(person(author)), d)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// posts are n posts of one author in one month.
func posts(tb testing.TB, author, n int, tags ...records.Tag) []*records.Record {
	tb.Helper()
	rs := make([]*records.Record, n)
	for i := range rs {
		rs[i] = post(tb, author, i, tags...)
	}
	return rs
}

// everywhere offers a record to its roots and the months below them.
func everywhere(r *records.Record) (puts []records.Put) {
	for _, root := range r.Roots() {
		puts = append(puts, records.Put{Place: root, Record: r}, records.Put{Place: root.At(records.LevelMonth, r), Record: r})
	}
	return puts
}

// month is the place of a user's month in which r was made.
func month(r *records.Record) records.Place {
	return records.UserPlace(r.Author()).At(records.LevelMonth, r)
}

// memory is a store that keeps states as package records defines them.
type memory struct {
	network records.Network
	merged  func(context.Context) error // called before a merge, if set

	mu     sync.Mutex // protects states and merges
	states map[records.Place]*records.State
	merges int
}

func newMemory(tb testing.TB) *memory {
	return &memory{network: net(tb), states: map[records.Place]*records.State{}}
}

func (m *memory) state(p records.Place) *records.State {
	s := m.states[p]
	if s == nil {
		s = records.NewState(m.network, p)
		m.states[p] = s
	}
	return s
}

func (m *memory) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	if m.merged != nil {
		if err := m.merged(ctx); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.merges++
	outcomes := make([]records.Outcome, len(puts))
	for i, p := range puts {
		outcomes[i] = m.state(p.Place).Merge(p.Record)
	}
	return outcomes, nil
}

func (m *memory) Bucket(q records.Query) (records.Bucket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state(q.Place).Bucket(q), nil
}

// region is the coordinates that share the first bits of one.
type region struct {
	bits     int
	of       records.Coordinate
	narrowed int // of the bits
}

func (r region) Prefix() int { return r.bits }

func (r region) Narrowed() int { return r.narrowed }

func (r region) Holds(c records.Coordinate) bool {
	for i := range r.bits {
		if (c[i/8]^r.of[i/8])>>(7-i%8)&1 != 0 {
			return false
		}
	}
	return true
}

// world is a few hosts in virtual time.
type world struct {
	wire  *wire
	hosts []*fakeHost

	offenders sync.Map // of the servers, as they told; peer.ID to nothing
}

// inBubble runs a scenario among n hosts and checks that it leaves no stream behind.
func inBubble(t *testing.T, n int, scenario func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, n)
		t.Cleanup(func() {
			elapse(3 * time.Minute) // for what is idle
			for i, h := range w.hosts {
				if n := h.live(); n > 0 {
					t.Errorf("host %d: %d streams left open", i, n)
				}
			}
		})
		scenario(t, w)
	})
}

func newWorld(tb testing.TB, n int) *world {
	tb.Helper()
	w := &world{wire: newWire()}
	for i := range n {
		w.hosts = append(w.hosts, w.wire.host(peerID(tb, i)))
	}
	return w
}

func peerID(tb testing.TB, i int) peer.ID {
	tb.Helper()
	id, err := peer.IDFromPrivateKey(hostKey(tb, i))
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func hostKey(tb testing.TB, i int) crypto.PrivKey {
	tb.Helper()
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(i)+1)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// elapse lets virtual time pass, and everything happen that happens by then.
func elapse(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

// took is how long f takes in virtual time.
func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func (w *world) id(i int) peer.ID { return w.hosts[i].id }

// serve runs a server on host i until the test ends or stop is called.
func (w *world) serve(tb testing.TB, i int, store exchange.Store, r exchange.Region) (s *exchange.Server, stop func()) {
	tb.Helper()
	s = exchange.NewServer(exchange.ServerConfig{
		Host: w.hosts[i], Door: newDoor(tb), Store: store, Region: r,
		Offended: func(p peer.ID) { w.offenders.Store(p, nil) },
		Status:   func() exchange.Status { return exchange.Status{Version: "test", Records: 7, Bytes: 700} },
	})
	stop = w.run(tb, i, s)
	synctest.Wait()
	return s, stop
}

// run runs a server on host i until the test ends or stop is called.
func (w *world) run(tb testing.TB, i int, s *exchange.Server) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Run(ctx); err != nil {
			tb.Errorf("server: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	tb.Cleanup(stop)
	w.hosts[i].await(protocol.ExchangeID(net(tb)))
	return stop
}

// client makes a client on host i.
func (w *world) client(tb testing.TB, i int) *exchange.Client {
	tb.Helper()
	c := exchange.NewClient(exchange.ClientConfig{Host: w.hosts[i], Door: newDoor(tb)})
	tb.Cleanup(c.Close)
	return c
}

// pairUp is a client on host 0 and a server on host 1 that holds everything.
func (w *world) pairUp(tb testing.TB) (*exchange.Client, *exchange.Server, *memory) {
	tb.Helper()
	m := newMemory(tb)
	s, _ := w.serve(tb, 1, m, region{})
	return w.client(tb, 0), s, m
}

// mustPut puts and fails the test unless all is taken.
func mustPut(tb testing.TB, c *exchange.Client, p peer.ID, puts ...records.Put) []exchange.Result {
	tb.Helper()
	results, err := c.Put(tb.Context(), p, puts)
	if err != nil {
		tb.Fatal(err)
	}
	for i, r := range results {
		if r.Err != nil {
			tb.Fatalf("put %d: %v", i, r.Err)
		}
	}
	return results
}

// mustFetch fetches one bucket, all of it.
func mustFetch(tb testing.TB, c *exchange.Client, p peer.ID, q records.Query) records.Bucket {
	tb.Helper()
	answers, err := c.Fetch(tb.Context(), p, []records.Query{q})
	if err != nil {
		tb.Fatal(err)
	}
	if answers[0].Err != nil {
		tb.Fatal(answers[0].Err)
	}
	return answers[0].Bucket
}

func newest(p records.Place, limit int) records.Query {
	return records.Query{Place: p, Before: records.Newest, Limit: limit}
}

func ids(rs []*records.Record) (out []records.ID) {
	for _, r := range rs {
		out = append(out, r.ID())
	}
	return out
}

// largePosts are n posts of one author, each almost as large as a record may be.
func largePosts(tb testing.TB, author, n int) []*records.Record {
	tb.Helper()
	rs := make([]*records.Record, n)
	for i := range rs {
		d, err := records.NewPost(noon+records.Millis(i), [8]byte{byte(i)}, records.PostHead{}, records.PostBody{Text: string(make([]byte, records.MaxText))})
		if err != nil {
			tb.Fatal(err)
		}
		rs[i] = seal(tb, net(tb), author, d)
	}
	return rs
}

package baseline_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/baseline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // as every bubble does

// read runs a scenario with a reader in a network in which 100 posts were planted.
func read(t *testing.T, ask, full int, scenario func(t *testing.T, net *nodetest.Network, r *baseline.Reader, posts []*records.Record)) {
	t.Helper()
	network, err := records.NewNetwork("simulation", records.Params{Neighbourhood: 4, Capacity: 8})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		net := nodetest.New(t, nodetest.Config{Nodes: 8, Network: network})
		net.Settle()
		posts := traffic(t, network)
		net.Plant(t.Context(), posts)
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		host, err := net.Links.Host(1000, key)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = host.Close() }()
		first, err := peer.AddrInfoFromString(net.Links.Addr(0).String() + "/p2p/" + net.Nodes[0].PeerID().String())
		if err != nil {
			t.Fatal(err)
		}
		r, err := baseline.New(t.Context(), baseline.Config{
			Host: host, Door: records.NewDoor(network, 256), Bootstrap: []peer.AddrInfo{*first}, Ask: ask, Full: full,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		scenario(t, net, r, posts)
	})
}

// traffic is posts of a hashtag, newest first: many of one minute, so that not even
// minutes hold them, and some of the last weeks and years.
func traffic(t *testing.T, n records.Network) (rs []*records.Record) {
	t.Helper()
	random := mathrand.New(mathrand.NewPCG(1, 2))
	author := records.KeyFromSeed([32]byte{1})
	for i := range 100 {
		spread := []time.Duration{50 * time.Second, 20 * 24 * time.Hour, 900 * 24 * time.Hour}[i%3]
		created := records.MillisOf(began.Add(-5*time.Second - time.Duration(random.Int64N(int64(spread)))))
		var salt [8]byte
		binary.BigEndian.PutUint64(salt[:], uint64(i))
		draft, err := records.NewPost(created, salt, records.PostHead{Tags: []records.Tag{"sky"}}, records.PostBody{Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := records.Seal(t.Context(), n, records.AuthorSigner(author), draft)
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	root := records.TagPlace("sky")
	slices.SortFunc(rs, func(r, s *records.Record) int { return root.Position(s).Compare(root.Position(r)) })
	return rs
}

func ids(rs []*records.Record) (out []records.ID) {
	for _, r := range rs {
		out = append(out, r.ID())
	}
	return out
}

// page reads up to want posts before a position.
func page(ctx context.Context, t *testing.T, r *baseline.Reader, before records.Position, want int) (out []records.ID) {
	t.Helper()
	for rec, err := range r.Timeline(ctx, records.TagPlace("sky"), before) {
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, rec.ID()); len(out) == want {
			break
		}
	}
	return out
}

// Everything is read, in order, from whatever position; a page costs one round a
// place, and what is remembered is not searched for again.
func TestReader_readsAll(t *testing.T) {
	for name, c := range map[string]struct{ ask, full int }{"trusting": {1, 1}, "careful": {4, 2}} {
		t.Run(name, func(t *testing.T) {
			read(t, c.ask, c.full, func(t *testing.T, _ *nodetest.Network, r *baseline.Reader, posts []*records.Record) {
				if got := page(t.Context(), t, r, records.Newest, 0); !slices.Equal(got, ids(posts)) {
					t.Fatalf("read %d posts, want the %d there are, newest first", len(got), len(posts))
				}
				if r.Cost.Rounds != r.Cost.Places || r.Cost.Searches != r.Cost.Places {
					t.Errorf("cost %+v: want a search and a round for each place", r.Cost)
				}
				before, searches := records.TagPlace("sky").Position(posts[29]), r.Cost.Searches
				var meter exchange.Meter
				got := page(exchange.WithMeter(t.Context(), &meter), t, r, before, 20)
				if !slices.Equal(got, ids(posts[30:50])) {
					t.Errorf("read %d posts before the 30th, want the next 20", len(got))
				}
				if r.Cost.Searches != searches {
					t.Errorf("searched %d times for what was known", r.Cost.Searches-searches)
				}
				if meter.Requests.Load() == 0 {
					t.Error("the meter counted no requests")
				}
			})
		})
	}
}

// A member that does not answer is passed over.
func TestReader_memberGone(t *testing.T) {
	read(t, 1, 1, func(t *testing.T, net *nodetest.Network, r *baseline.Reader, posts []*records.Record) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		net.Kill(3)
		if got := page(ctx, t, r, records.Newest, 0); !slices.Equal(got, ids(posts)) {
			t.Errorf("read %d posts, want the %d there are", len(got), len(posts))
		}
	})
}

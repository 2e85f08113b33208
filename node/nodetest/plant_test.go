package nodetest_test

import (
	"cmp"
	"crypto/ed25519"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// What is planted equals what is published: of every place, every member has the
// same records in the same roles.
func TestPlant_asPublished(t *testing.T) {
	network, err := records.NewNetwork("simulation", records.Params{Neighbourhood: 4, Capacity: 8})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // as every bubble does
	grow := func(t *testing.T, fill func(t *testing.T, net *nodetest.Network, rs []*records.Record)) (held []map[string]int) {
		synctest.Test(t, func(t *testing.T) {
			net := nodetest.New(t, nodetest.Config{Nodes: 12, Network: network, Tune: sameNodes(t)})
			net.Settle()
			fill(t, net, traffic(t, network, began))
			net.Pass(time.Minute) // displaced records are carried down
			for _, x := range net.Nodes {
				held = append(held, contents(t, x))
			}
		})
		return held
	}
	published := grow(t, func(t *testing.T, net *nodetest.Network, rs []*records.Record) {
		for i, r := range rs {
			if _, err := net.Nodes[i%len(net.Nodes)].PublishRecord(t.Context(), r, nil); err != nil {
				t.Fatalf("publish record %d: %v", i, err)
			}
		}
	})
	planted := grow(t, func(t *testing.T, net *nodetest.Network, rs []*records.Record) { net.Plant(t.Context(), rs) })
	for i := range planted {
		if !maps.Equal(planted[i], published[i]) {
			t.Errorf("node %d holds %d entries planted and %d published, or others", i, len(planted[i]), len(published[i]))
		}
		if len(planted[i]) == 0 {
			t.Errorf("node %d holds nothing", i)
		}
	}
}

// sameNodes gives the nodes of every network the same keys, and so the same part
// of the ring.
func sameNodes(t *testing.T) func(int, *starling.Config) {
	return func(i int, c *starling.Config) {
		identity, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seedOf(i)))
		if err != nil {
			t.Fatal(err)
		}
		c.Identity = identity
	}
}

func seedOf(i int) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, ed25519.SeedSize-8), uint64(i)+1)
}

// traffic is posts of three authors in two hashtags: many of the last minutes, some
// of the last weeks and few of the last years, oldest first: that is the order in
// which witnesses are the smallest, whoever skips a place that they know to be full.
func traffic(t *testing.T, n records.Network, now time.Time) (rs []*records.Record) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	many := 90
	if testing.Short() {
		many = 36
	}
	for i := range many {
		spread := []time.Duration{5 * time.Minute, 20 * 24 * time.Hour, 900 * 24 * time.Hour}[i%3]
		created := records.MillisOf(now.Add(-time.Duration(random.Int64N(int64(spread)))))
		head := records.PostHead{Tags: []records.Tag{[]records.Tag{"go", "sky"}[i%2]}}
		draft, err := records.NewPost(created, [8]byte{byte(i)}, head, records.PostBody{Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		author := records.KeyFromSeed([32]byte(seedOf(i % 5 % 3)))
		r, err := records.Seal(t.Context(), n, records.AuthorSigner(author), draft)
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	slices.SortFunc(rs, func(r, s *records.Record) int { return cmp.Compare(r.Created(), s.Created()) })
	return rs
}

// contents counts the entries of the places that are a node's to hold.
func contents(t *testing.T, x *nodetest.Node) map[string]int {
	t.Helper()
	held := map[string]int{}
	member := x.Member()
	var last records.Coordinate
	for i := range last {
		last[i] = 0xff
	}
	for e, err := range x.Store().Entries(records.Coordinate{}, last) {
		if err != nil {
			t.Fatal(err)
		}
		if member(e.Coordinate) {
			held[e.Place.String()+" "+e.ID.String()]++
		}
	}
	return held
}

// A plan tells what members lack, of what few copies are left, and who shows less
// than belongs to a place.
func TestPlan_tells(t *testing.T) {
	network, err := records.NewNetwork("simulation", records.Params{Neighbourhood: 4, Capacity: 8})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		net := nodetest.New(t, nodetest.Config{Nodes: 4, Network: network, Tune: func(_ int, c *starling.Config) { c.HealInterval = 24 * time.Hour }})
		net.Settle()
		net.Pass(time.Minute) // until everybody has compared with everybody
		rs := traffic(t, network, time.Now())
		net.Plant(t.Context(), rs)
		plan, x := net.Plan(rs), net.Nodes[1]
		places := plan.Places(x.Region())
		if c := plan.Cover(x, x.Region()); !c.Whole() || c.Due != int64(x.Entries()) || c.Bytes == 0 {
			t.Errorf("planted, it covers %+v of %d entries", c, x.Entries())
		}
		if answered, wrong := plan.Answers(x, x.Region()); answered != places || wrong > 0 || plan.Copies(net.Nodes) != 4 {
			t.Errorf("planted, it answers for %d of %d places, wrongly for %d; %d copies", answered, places, wrong, plan.Copies(net.Nodes))
		}
		before := x.Entries()
		lost, err := x.Lose(t.Context(), rs[0].Roots()[0])
		if err != nil {
			t.Fatal(err)
		}
		if c := plan.Cover(x, x.Region()); c.Missing() != int64(before-x.Entries()) || c.Whole() {
			t.Errorf("without %d entries it covers %+v", before-x.Entries(), c)
		}
		if answered, wrong := plan.Answers(x, x.Region()); answered != places || wrong != lost || plan.Copies(net.Nodes) != 3 {
			t.Errorf("without %d places it answers for %d, wrongly for %d; %d copies", lost, answered, wrong, plan.Copies(net.Nodes))
		}
	})
}

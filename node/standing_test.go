package node_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// shows is a lie: of every place the same record, which belongs to another.
type shows struct {
	node.ServedStore
	record *records.Record
}

func (s shows) Bucket(q records.Query) (records.Bucket, error) {
	b := records.Bucket{Place: q.Place, Records: []*records.Record{s.record}, Count: 1}
	b.Fingerprint = b.Sum()
	if q.Print {
		b.Records = nil
	}
	return b, nil
}

// Who shows readers what does not pass the door is reported by the exchange to the DHT,
// which bans it: it is in no neighbourhood, nobody asks it, and in gossip it is not
// heard. Nothing of that happens to a member that is slow.
func TestStanding_brokenRecords(t *testing.T) {
	network := simulation(t)
	simulate(t, nodetest.Config{Nodes: 6, Links: nodetest.LinksConfig{Seed: 91}}, func(ctx context.Context, net *nodetest.Network) {
		reader, liar, slow := net.Nodes[0], net.Nodes[3], net.Nodes[4]
		s := newScribe(t, network, 1)
		elsewhere := s.post(time.Now(), "not here", "elsewhere")
		liar.Lie(func(truth node.ServedStore) node.ServedStore { return shows{truth, elsewhere} })
		net.Links.Shape(func(from, to int) nodetest.Link {
			if from == slow.Index || to == slow.Index {
				return nodetest.Link{Latency: 400 * time.Millisecond}
			}
			return nodetest.Link{Latency: 20 * time.Millisecond}
		})
		member := func(x *nodetest.Node) bool {
			place := newScribe(t, network, 2).post(time.Now(), "", "sky").Roots()[0]
			peers, err := reader.MembersOf(ctx, place)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Contains(peers, x.PeerID())
		}
		if !member(liar) || reader.GossipPenalty(liar.PeerID()) != 0 {
			t.Fatal("the liar is in no good standing before it lied: the test shows nothing")
		}
		for i := 0; i < 200 && reader.Status().Routing.Banned == 0; i++ {
			texts(ctx, t, reader, node.TagSource(records.Tag([]string{"sky", "sea", "sun"}[i%3])), 10)
			net.Pass(time.Second)
		}
		if got := reader.Status().Routing.Banned; got != 1 {
			t.Fatalf("%d nodes are banned", got)
		}
		if member(liar) || !member(slow) {
			t.Errorf("the liar is a member: %v, the slow node: %v", member(liar), member(slow))
		}
		if got := reader.GossipPenalty(liar.PeerID()); got > -100 {
			t.Errorf("gossip takes %.0f off the liar's score", -got)
		}
		if got := reader.GossipPenalty(slow.PeerID()); got != 0 {
			t.Errorf("gossip takes %.0f off the slow node's score", -got)
		}
	})
}

// What is not taken in is counted by why, at either way in, where Prometheus finds it.
func TestMetrics_refusalsByReason(t *testing.T) {
	network, counters := simulation(t), prometheus.NewRegistry()
	tune := func(i int, c *node.Config) {
		if i == 0 {
			c.Metrics = counters
		}
	}
	simulate(t, nodetest.Config{Nodes: 2, Links: nodetest.LinksConfig{Seed: 93}, Tune: tune}, func(ctx context.Context, net *nodetest.Network) {
		stranger := joinStock(ctx, t, net, network, 100)
		defer stranger.close()
		target := net.Nodes[0].PeerID()
		client := exchange.NewClient(exchange.ClientConfig{Host: stranger.host, Door: records.NewDoor(network, 16)})
		defer client.Close()
		person, other := records.KeyFromSeed([32]byte{9}), records.KeyFromSeed([32]byte{8})
		mine, theirs := records.RegisterID{User: person.User(), Name: records.Profile}, records.RegisterID{User: other.User(), Name: records.Profile}
		now := versionOf(t, network, person, time.Now(), "now", time.Time{})
		ahead := versionOf(t, network, person, time.Now().Add(time.Hour), "ahead", time.Time{})
		puts := []records.Put{
			{Place: mine.Place(), Record: ahead},
			{Place: theirs.Place(), Record: now},
			{Place: theirs.Place(), Record: now},
			{Place: records.UserPlace(person.User()), Record: now},
		}
		results, err := client.Put(ctx, target, puts)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if r.Err == nil {
				t.Errorf("put %d was taken", i)
			}
		}
		if stranger.put(ctx, target, theirs.Key(), now.Bytes()) == nil || stranger.put(ctx, target, mine.Key(), now.Bytes()) != nil {
			t.Error("kad-dht takes a stranger's value, or not its owner's")
		}
		counted := gather(t, counters)
		for name, want := range map[string]float64{
			"starling_exchange_refusals_total{from_the_future}": 1,
			"starling_exchange_refusals_total{wrong_owner}":     2,
			"starling_exchange_refusals_total{misplaced}":       1,
			"starling_exchange_refusals_total{bad_signature}":   0,
			"starling_dht_values_total{kept}":                   1,
			"starling_dht_values_total{refused}":                1,
		} {
			if got := counted[name]; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
	})
}

// Values that no honest node puts count with records by exchange: who sent too many by
// kad-dht is not let into the exchange either.
func TestStanding_offencesOfBothWays(t *testing.T) {
	network := simulation(t)
	simulate(t, nodetest.Config{Nodes: 3, Links: nodetest.LinksConfig{Seed: 92}}, func(ctx context.Context, net *nodetest.Network) {
		offender := joinStock(ctx, t, net, network, 100)
		defer offender.close()
		target := net.Nodes[0].PeerID()
		client := exchange.NewClient(exchange.ClientConfig{Host: offender.host, Door: records.NewDoor(network, 16)})
		defer client.Close()
		person := records.KeyFromSeed([32]byte{9})
		id := records.RegisterID{User: person.User(), Name: records.Profile}
		value := versionOf(t, network, person, time.Now(), "x", time.Time{}).Bytes()
		for range protocol.MaxOffences + 1 {
			if offender.put(ctx, target, id.Key(), value[:len(value)-1]) == nil {
				t.Fatal("a broken record was taken")
			}
		}
		_, err := client.Status(ctx, target)
		if !errors.Is(err, exchange.ErrUnavailable) {
			t.Errorf("the exchange answers %v", err)
		}
		net.Pass(protocol.OffenceWindow + time.Second)
		if _, err := client.Status(ctx, target); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

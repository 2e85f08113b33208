package node_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

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

package node_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// Twice as many ids as a neighbourhood has at least are made to stand nearer to a place
// than any node. They acknowledge and drop, say that nothing is there, and either know
// other and tell false prefixes. What is said to be stored is read by whoever asks.
func TestPuppets_crowdedPlace(t *testing.T) {
	const k = 8
	network := shallow(t, k, 64)
	simulate(t, nodetest.Config{Nodes: 32, Network: network, Links: nodetest.LinksConfig{Seed: 60}}, func(ctx context.Context, net *nodetest.Network) {
		net.Settle()
		honest := net.Infos()
		root := crowdable(t, network, honest)
		write(ctx, t, net.Nodes[0], root, nil)
		keys, err := nodetest.GrindKeys(records.ThreadPlace(root.ItemKey()).Coordinate(), honest, 2*k)
		if err != nil {
			t.Fatal(err)
		}
		troupe := nodetest.NewTroupe(net.Links, network, nodetest.TroupeConfig{Astray: true})
		defer func() {
			if err := troupe.Leave(); err != nil {
				t.Error(err)
			}
		}()
		if err := troupe.Enter(ctx, 1000, keys, honest); err != nil {
			t.Fatal(err)
		}
		net.Pass(30 * time.Second)
		reply := newScribe(t, network, 2).reply(root, "reply")
		_, err = net.Nodes[0].PublishRecord(ctx, reply, nil)
		if errors.Is(err, node.ErrNotReadBack) { // as it may be, and its writer is told to try again
			_, err = net.Nodes[0].PublishRecord(ctx, reply, nil)
		}
		if err != nil {
			t.Errorf("publish: %v", err)
		}
		// Whom a reader finds and asks is partly chance. In 25 runs with 31 readers each,
		// nobody missed it.
		missed := 0
		for _, x := range net.Nodes[1:6] {
			if !finds(ctx, t, x, node.ThreadSource(root.Ref()), reply) {
				missed++
			}
		}
		if missed > 1 {
			t.Errorf("%d of 5 nodes do not find what was stored", missed)
		}
		if planted(net) == 0 {
			t.Error("nobody finds that the place looks planted")
		}
	})
}

// crowdable begins a thread in whose quarter of the ring there are as many honest nodes
// as the least neighbourhood has, as in a network that is not this small there are.
func crowdable(t *testing.T, network records.Network, honest []peer.AddrInfo) *records.Record {
	t.Helper()
	for s := newScribe(t, network, 1); ; {
		root := s.post(time.Now().Add(-time.Minute), "root")
		at, quarter := records.ThreadPlace(root.ItemKey()).Coordinate(), 0
		for _, i := range honest {
			if sha256.Sum256([]byte(i.ID))[0]>>6 == at[0]>>6 {
				quarter++
			}
		}
		if quarter >= network.Params.Neighbourhood {
			return root
		}
	}
}

// finds tells whether a node reads a record in a timeline.
func finds(ctx context.Context, t *testing.T, x *nodetest.Node, s node.Source, want *records.Record) bool {
	t.Helper()
	found := false
	for r, err := range x.Timeline(ctx, s, node.Range{Limit: node.MaxTimeline}) {
		if err != nil {
			t.Logf("node %d: %v", x.Index, err)
			continue
		}
		found = found || r.ID() == want.ID()
	}
	return found
}

// planted is how many nodes saw a place that looked planted.
func planted(net *nodetest.Network) (n int) {
	for _, x := range net.Running() {
		if x.Status().Planted > 0 {
			n++
		}
	}
	return n
}

// reply makes a reply of the scribe to the first post of a thread.
func (s *scribe) reply(root *records.Record, text string) *records.Record {
	s.t.Helper()
	ref := root.Ref()
	return s.seal(records.NewPost(records.MillisOf(time.Now()), [8]byte{1}, records.PostHead{Root: &ref, Parent: &ref}, records.PostBody{Text: text}))
}

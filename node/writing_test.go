package node_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// shallow is a network whose buckets hold so little that a few posts fill a ladder.
func shallow(t testing.TB, neighbourhood, capacity int) records.Network {
	t.Helper()
	n, err := records.NewNetwork("shallow", records.Params{Neighbourhood: neighbourhood, Capacity: capacity})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A scribe seals posts of one person, at any time.
type scribe struct {
	t       testing.TB
	network records.Network
	key     records.Key
	salt    uint64
}

func newScribe(t testing.TB, n records.Network, seed byte) *scribe {
	return &scribe{t: t, network: n, key: records.KeyFromSeed([32]byte{seed, 1})}
}

func (s *scribe) post(at time.Time, text string, tags ...records.Tag) *records.Record {
	s.t.Helper()
	s.salt++
	var salt [8]byte
	binary.BigEndian.PutUint64(salt[:], s.salt)
	d, err := records.NewPost(records.MillisOf(at), salt, records.PostHead{Tags: tags}, records.PostBody{Text: text})
	return s.seal(d, err)
}

func (s *scribe) seal(d records.Draft, err error) *records.Record {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := records.Seal(s.t.Context(), s.network, records.AuthorSigner(s.key), d)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *scribe) edit(r *records.Record, text string) *records.Record {
	return s.seal(records.EditPost(r, r.Rev().Millis()+1, records.PostBody{Text: text}))
}

func (s *scribe) remove(r *records.Record) *records.Record {
	return s.seal(records.Tombstone(r, r.Rev().Millis()+1), nil)
}

// write publishes a record that a scribe made.
func write(ctx context.Context, t *testing.T, x *nodetest.Node, r, replaces *records.Record) {
	t.Helper()
	if _, err := x.PublishRecord(ctx, r, replaces); err != nil {
		t.Fatalf("publish on node %d: %v", x.Index, err)
	}
}

// checkTree checks that everything stands where the rule of states says, and that
// nothing is on its way any more.
func checkTree(t *testing.T, net *nodetest.Network, rs []*records.Record) {
	t.Helper()
	differences := net.Audit(rs)
	for i, d := range differences {
		if i == 5 {
			t.Errorf("and %d more", len(differences)-i)
			break
		}
		t.Error(d)
	}
	if n := net.OnTheWay(); n != 0 {
		t.Errorf("%d records are on their way down", n)
	}
}

// Records that come in the worst order, each older than all before, displace others
// at every level. The writer carries those down, and then the holders let go of them.
func TestCarry_lateRecords(t *testing.T) {
	network := shallow(t, 4, 3)
	simulate(t, nodetest.Config{Nodes: 12, Network: network, Links: nodetest.LinksConfig{Seed: 21}}, func(ctx context.Context, net *nodetest.Network) {
		s := newScribe(t, network, 1)
		start := time.Now().AddDate(0, -2, 0)
		var rs []*records.Record
		posts := 14
		for i := range posts {
			r := s.post(start.Add(-time.Duration(i)*time.Hour), fmt.Sprint(i), "sky")
			rs = append(rs, r)
			write(ctx, t, net.Nodes[i%12], r, nil)
		}
		for _, x := range []*nodetest.Node{net.Nodes[0], net.Nodes[5]} {
			if got := texts(ctx, t, x, node.TagSource("sky"), 50); len(got) != posts {
				t.Errorf("node %d reads %d of %d posts", x.Index, len(got), posts)
			}
		}
		net.Pass(5 * time.Minute)
		checkTree(t, net, rs)
		for _, x := range net.Nodes {
			if got := texts(ctx, t, x, node.TagSource("sky"), 50); len(got) != posts {
				t.Errorf("node %d reads %d of %d posts", x.Index, len(got), posts)
			}
		}
	})
}

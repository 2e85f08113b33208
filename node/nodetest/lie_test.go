package nodetest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

const liesEpoch = records.Millis(40 * 336 * 24 * time.Hour / time.Millisecond)

var errRefused = errors.New("refused")

// tagged is the n-th post of a tag, a day after the one before.
func tagged(t *testing.T, network records.Network, n int) *records.Record {
	t.Helper()
	var salt [8]byte
	binary.BigEndian.PutUint64(salt[:], uint64(n))
	day := records.Millis(24 * time.Hour / time.Millisecond)
	d, err := records.NewPost(liesEpoch+records.Millis(n)*day, salt, records.PostHead{Tags: []records.Tag{"sky"}}, records.PostBody{Text: fmt.Sprint(n)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := records.Seal(t.Context(), network, records.AuthorSigner(records.KeyFromSeed([32]byte{1})), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lied is what a lie makes of a store that was given six posts of a month whose bucket
// holds three: the answer to a seventh, older than all, and then that of the
// month, in records and in its fingerprint.
type lied struct {
	outcome     records.Outcome
	err         error
	full, print records.Bucket
}

func tell(t *testing.T, l nodetest.Lie) lied {
	t.Helper()
	network, err := records.NewNetwork("lies", records.Params{Neighbourhood: 4, Capacity: 3})
	if err != nil {
		t.Fatal(err)
	}
	truth := datastore.OpenMemory(network)
	t.Cleanup(func() { _ = truth.Close() })
	told := nodetest.Lies()(truth)
	if l != nil {
		told = nodetest.Lies(l)(truth)
	}
	put := func(s node.ServedStore, n int) (records.Outcome, error) {
		r := tagged(t, network, n)
		out, err := s.Merge(t.Context(), []records.Put{{Place: records.TagPlace("sky").At(records.LevelMonth, r), Record: r}})
		if len(out) != 1 {
			t.Fatalf("%d outcomes of one put: %v", len(out), err)
		}
		return out[0], err
	}
	for n := range 6 {
		if _, err := put(truth, n+1); err != nil {
			t.Fatal(err)
		}
	}
	var got lied
	got.outcome, got.err = put(told, 0)
	month := records.TagPlace("sky").At(records.LevelMonth, tagged(t, network, 1))
	q := records.Query{Place: month, Before: records.Newest, Limit: 3}
	read := func(fingerprint bool) records.Bucket {
		q.Print = fingerprint
		b, err := told.Bucket(q)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	got.full, got.print = read(false), read(true)
	return got
}

// texts are the posts of a bucket, and those of its witnesses.
func (l lied) texts() (out []string) {
	for _, rs := range [][]*records.Record{l.full.Records, l.full.Witnesses} {
		for _, r := range rs {
			_, body, _ := r.Post()
			out = append(out, body.Text)
		}
		out = append(out, "|")
	}
	return out
}

// Every lie answers what it is named for, and is otherwise the truth, with what is
// on its way down beside the witnesses.
func TestLie_each(t *testing.T) {
	network, err := records.NewNetwork("lies", records.Params{Neighbourhood: 4, Capacity: 3})
	if err != nil {
		t.Fatal(err)
	}
	one := func(r *records.Record) bool { _, body, _ := r.Post(); return body.Text == "1" }
	for name, c := range map[string]struct {
		lie    nodetest.Lie
		status records.Status // of the put
		agrees bool           // the print is that of what is shown
		texts  []string
	}{
		"truth":     {nil, records.Stored, true, []string{"2", "1", "0", "|", "4", "3", "|"}},
		"empty":     {nodetest.Empty(), records.Stored, true, []string{"|", "|"}},
		"withhold":  {nodetest.Withhold(one), records.Stored, true, []string{"2", "0", "|", "4", "3", "|"}},
		"parrot":    {nodetest.Parrot(nodetest.Empty()), records.Stored, false, []string{"|", "|"}},
		"babble":    {nodetest.Babble(), records.Stored, false, []string{"2", "1", "0", "|", "4", "3", "|"}},
		"witnesses": {nodetest.FalseWitnesses(), records.Stored, true, []string{"2", "1", "0", "|", "4", "3", "0", "|"}},
		"low":       {nodetest.Below(network, nodetest.LowBound), records.Below, true, []string{"3", "2", "1", "|", "4", "|"}},
		"high":      {nodetest.Below(network, nodetest.HighBound), records.Below, true, []string{"3", "2", "1", "|", "4", "|"}},
		"swallow":   {nodetest.Swallow(), records.Stored, true, []string{"3", "2", "1", "|", "4", "|"}},
		"refuse":    {nodetest.Refuse(errRefused), 0, true, []string{"3", "2", "1", "|", "4", "|"}},
		"displace":  {nodetest.Displace(), records.Stored, true, []string{"2", "1", "0", "|", "4", "3", "|"}},
	} {
		got := tell(t, c.lie)
		if got.outcome.Status != c.status {
			t.Errorf("%s: a put is answered %s, %v; want %s", name, got.outcome.Status, got.err, c.status)
		}
		if agrees := got.print.Fingerprint == got.full.Sum(); agrees != c.agrees {
			t.Errorf("%s: print and records agree: %t", name, agrees)
		}
		if errors.Is(got.err, errRefused) != (c.status == 0) {
			t.Errorf("%s: a put fails with %v", name, got.err)
		}
		shown := got.texts()
		if !slices.Equal(shown, c.texts) {
			t.Errorf("%s: shows %q, want %q", name, shown, c.texts)
		}
	}
}

// A third of the nodes is at most half of the members of any place, and in a
// network of one place a third.
func TestNetwork_third(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, _ *nodetest.Links) {
		net := nodetest.New(t, nodetest.Config{Nodes: 12, Links: nodetest.LinksConfig{Seed: 1}})
		third := net.Third()
		if len(third) != 4 {
			t.Fatalf("a third of 12 nodes are %d", len(third))
		}
		ring := slices.SortedFunc(slices.Values(net.Nodes), func(x, y *nodetest.Node) int {
			a, b := sha256.Sum256([]byte(x.PeerID())), sha256.Sum256([]byte(y.PeerID()))
			return bytes.Compare(a[:], b[:])
		})
		for from := range ring {
			for to := from + 3; to <= len(ring); to++ {
				liars := 0
				for _, x := range ring[from:to] {
					if slices.Contains(third, x) {
						liars++
					}
				}
				if 2*liars > to-from {
					t.Errorf("%d of %d neighbours are of the third", liars, to-from)
				}
			}
		}
	})
}

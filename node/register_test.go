package node_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

func service(x *nodetest.Node, name string) records.RegisterID {
	return records.RegisterID{User: x.User(), Name: records.ServiceName(name)}
}

// simulation is the network that simulated nodes are of, unless a test says otherwise.
func simulation(t *testing.T) records.Network {
	t.Helper()
	n, err := records.TestNetwork("simulation")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// putRegister writes a register of x's and wants that to succeed.
func putRegister(ctx context.Context, t *testing.T, x *nodetest.Node, name string, d node.RegisterDraft) *records.Record {
	t.Helper()
	receipt, err := x.PutRegister(ctx, name, d)
	if err != nil {
		t.Fatalf("node %d puts %s: %v", x.Index, name, err)
	}
	if p := receipt.Place; p.Stored <= p.Wanted/2 || 2*receipt.Shown <= receipt.Asked {
		t.Fatalf("a register counts as written on %d of %d, shown by %d of %d", p.Stored, p.Wanted, receipt.Shown, receipt.Asked)
	}
	return receipt.Record
}

// value reads a register from x and wants a version that stands.
func value(ctx context.Context, t *testing.T, x *nodetest.Node, id records.RegisterID) string {
	t.Helper()
	r, err := x.ReadRegister(ctx, id, false)
	if err != nil {
		t.Fatalf("node %d reads %s: %v", x.Index, id.Key(), err)
	}
	if err := x.Standing(r); err != nil {
		return err.Error()
	}
	_, body, err := r.Register()
	if err != nil {
		t.Fatal(err)
	}
	return string(body.Value)
}

// What its owner writes everybody reads, version after version, until it is deleted.
func TestRegister_writtenAndReadEverywhere(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 14, Links: nodetest.LinksConfig{Seed: 61}}, func(ctx context.Context, net *nodetest.Network) {
		owner := net.Nodes[2]
		id := service(owner, "relay")
		if _, err := net.Nodes[5].ReadRegister(ctx, id, false); !errors.Is(err, node.ErrNoRegister) {
			t.Fatalf("before it is written: %v", err)
		}
		for i := range 3 {
			want := fmt.Sprint("version ", i)
			putRegister(ctx, t, owner, id.Name, node.RegisterDraft{Value: []byte(want)})
			for _, x := range net.Nodes {
				if got := value(ctx, t, x, id); got != want {
					t.Errorf("node %d reads %q, want %q", x.Index, got, want)
				}
			}
		}
		putRegister(ctx, t, owner, id.Name, node.RegisterDraft{Delete: true})
		if got := value(ctx, t, net.Nodes[7], id); got != node.ErrNoRegister.Error() {
			t.Errorf("once deleted: %q", got)
		}
		putRegister(ctx, t, owner, id.Name, node.RegisterDraft{Value: []byte("again")})
		if got := value(ctx, t, net.Nodes[7], id); got != "again" {
			t.Errorf("written again: %q", got)
		}
	})
}

// Who says which version he means to replace replaces that one or hears what stands.
func TestRegister_compareAndSwap(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 10, Links: nodetest.LinksConfig{Seed: 62}}, func(ctx context.Context, net *nodetest.Network) {
		owner := net.Nodes[1]
		none, name := records.Rev(0), records.ServiceName("cas")
		first := putRegister(ctx, t, owner, name, node.RegisterDraft{Value: []byte("1"), Expect: &none})
		rev := first.Rev()
		second := putRegister(ctx, t, owner, name, node.RegisterDraft{Value: []byte("2"), Expect: &rev})
		for _, expect := range []records.Rev{none, rev} {
			_, err := owner.PutRegister(ctx, name, node.RegisterDraft{Value: []byte("3"), Expect: &expect})
			var refused *node.RegisterError
			if !errors.As(err, &refused) || !errors.Is(err, records.ErrConflict) || refused.Current.ID() != second.ID() {
				t.Errorf("expecting %d: %v", expect, err)
			}
		}
		if got := value(ctx, t, net.Nodes[7], service(owner, "cas")); got != "2" {
			t.Errorf("%q stands", got)
		}
	})
}

// Every reason not to take a version reaches the one who wrote it, with what stands.
func TestRegister_refusalsReachTheWriter(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 10, Links: nodetest.LinksConfig{Seed: 63}}, func(ctx context.Context, net *nodetest.Network) {
		key, device := records.KeyFromSeed([32]byte{1}), records.KeyFromSeed([32]byte{2})
		network := simulation(t)
		cert := records.Certify(network, key, device.User(), 3)
		byDevice := records.Signer{Key: device, Author: key.User(), Certificate: &cert}
		version := func(s records.Signer, at time.Time, body string, expires time.Time) *records.Record {
			d := records.Draft{
				Head: records.RegisterHead{Name: records.Profile}, Created: records.MillisOf(at), Rev: records.RevAt(records.MillisOf(at)),
				Body: append([]byte{0x0a, byte(len(body))}, body...),
			}
			if !expires.IsZero() {
				d.Expires = records.MillisOf(expires)
			}
			r, err := records.Seal(ctx, network, s, d)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		now := time.Now()
		own := records.AuthorSigner(key)
		stands := version(own, now, "stands", time.Time{})
		if _, err := net.Nodes[3].StoreRegister(ctx, stands); err != nil {
			t.Fatal(err)
		}
		refused := func(what string, r, current *records.Record, want error) {
			t.Helper()
			_, err := net.Nodes[8].StoreRegister(ctx, r)
			var e *node.RegisterError
			if !errors.As(err, &e) || !errors.Is(err, want) || current != nil && e.Current.ID() != current.ID() {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		refused("older", version(own, now.Add(-time.Minute), "older", time.Time{}), stands, records.ErrHaveNewer)
		refused("expired", version(own, now.Add(-time.Minute), "expired", now.Add(-time.Second)), nil, records.ErrExpired)
		for i := range 8 { // one of them is the lesser of the two
			if r := version(own, now, fmt.Sprint("rival ", i), time.Time{}); stands.Wins(r) {
				refused("same revision", r, stands, records.ErrConflict)
				break
			}
		}
		later := version(byDevice, now.Add(-time.Hour), "by a device", time.Time{})
		if _, err := net.Nodes[3].StoreRegister(ctx, later); err != nil {
			t.Fatal(err)
		}
		refused("of an epoch that has ended", version(own, now.Add(time.Minute), "too old", time.Time{}), later, records.ErrTooOld)
	})
}

// What has expired still holds its register: nothing older returns, neither through
// the exchange nor through kad-dht, to members that were there or have come since, and
// a stranger who puts it again keeps it no longer.
func TestRegister_noRollbackAfterExpiry(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 8, Links: nodetest.LinksConfig{Seed: 64}}, func(ctx context.Context, net *nodetest.Network) {
		s := joinStock(ctx, t, net, simulation(t), 100)
		defer s.close()
		person := records.KeyFromSeed([32]byte{9})
		id := records.RegisterID{User: person.User(), Name: records.Profile}
		now := time.Now()
		older := versionOf(t, simulation(t), person, now.Add(-time.Minute), "older", time.Time{})
		last := versionOf(t, simulation(t), person, now, "last", now.Add(2*time.Minute))
		for _, r := range []*records.Record{older, last} {
			if _, err := net.Nodes[2].StoreRegister(ctx, r); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 { // beyond its time, a stranger puts it again and again
			net.Pass(time.Minute)
			_, _ = net.Nodes[5].StoreRegister(ctx, last)
			_ = s.put(ctx, net.Nodes[1].PeerID(), id.Key(), last.Bytes())
		}
		net.Start()
		net.WaitReady()
		net.Pass(time.Minute)
		if err := s.put(ctx, net.Nodes[1].PeerID(), id.Key(), older.Bytes()); err == nil {
			t.Error("kad-dht takes the older version once the newer one has expired")
		}
		if _, err := net.Nodes[5].StoreRegister(ctx, older); !errors.Is(err, records.ErrHaveNewer) {
			t.Errorf("put through the exchange: %v", err)
		}
		for _, x := range net.Nodes {
			if got := value(ctx, t, x, id); got != records.ErrExpired.Error() {
				t.Errorf("node %d reads %q", x.Index, got)
			}
		}
	})
}

// Members that acknowledge and keep nothing make no put succeed: it has to be shown.
func TestRegister_acknowledgedIsNotWritten(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 8, Links: nodetest.LinksConfig{Seed: 65}}, func(ctx context.Context, net *nodetest.Network) {
		for _, x := range net.Nodes[1:] {
			x.Lie(nodetest.Swallow())
		}
		receipt, err := net.Nodes[0].PutRegister(ctx, records.Profile, node.RegisterDraft{Value: []byte("x")})
		if !errors.Is(err, node.ErrNoQuorum) {
			t.Errorf("stored by %d of %d, shown by %d of %d: %v", receipt.Place.Stored, receipt.Place.Wanted, receipt.Shown, receipt.Asked, err)
		}
	})
}

// A writer who is overtaken while he writes, so that no member knew when it acknowledged,
// hears of it when what he wrote is read back, and what stands.
func TestRegister_overtakenWhileWriting(t *testing.T) {
	tune := func(_ int, c *node.Config) { c.HealInterval = 24 * time.Hour }
	simulate(t, nodetest.Config{Nodes: 7, Links: nodetest.LinksConfig{Seed: 60}, Tune: tune}, func(ctx context.Context, net *nodetest.Network) {
		key, now := records.KeyFromSeed([32]byte{7}), time.Now()
		written := versionOf(t, simulation(t), key, now, "written", time.Time{})
		newer := versionOf(t, simulation(t), key, now.Add(time.Second), "newer", time.Time{})
		net.PlantOn(ctx, net.Nodes[4], []*records.Record{newer})
		net.Nodes[4].Lie(nodetest.Swallow()) // it says that it takes the older one, as if the newer came a moment later
		receipt, err := net.Nodes[1].StoreRegister(ctx, written)
		var refused *node.RegisterError
		if !errors.As(err, &refused) || !errors.Is(err, records.ErrHaveNewer) || refused.Current.ID() != newer.ID() {
			t.Errorf("acknowledged by %d of %d, then %v", receipt.Place.Stored, receipt.Place.Wanted, err)
		}
	})
}

// Members that hang keep nobody from the first version, and who lacks the newest is
// given it though the reader has gone.
func TestRegister_firstVersionAtOnce(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 9, Links: nodetest.LinksConfig{Seed: 66}}, func(ctx context.Context, net *nodetest.Network) {
		owner, reader := net.Nodes[0], net.Nodes[1]
		id := service(owner, "quick")
		putRegister(ctx, t, owner, id.Name, node.RegisterDraft{Value: []byte("here")})
		value(ctx, t, reader, id) // knows the members then
		net.Links.Pause(4)
		net.Links.Pause(5)
		began := time.Now()
		r, err := reader.ReadRegister(ctx, id, true)
		if err != nil || r.Author() != owner.User() {
			t.Fatalf("read %v, %v", r, err)
		}
		if took := time.Since(began); took > time.Second { // of virtual time: a member may take five
			t.Errorf("waited %s for members that hang", took)
		}
		net.Links.Resume(4)
		net.Links.Resume(5)
	})
}

// A node remembers the versions that it wrote or read, and
// tells where some are missing between two of them.
func TestHistory_seenVersions(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 6, Links: nodetest.LinksConfig{Seed: 67}}, func(ctx context.Context, net *nodetest.Network) {
		owner, reader := net.Nodes[0], net.Nodes[4]
		id := service(owner, "log")
		if _, err := reader.History(ctx, id); !errors.Is(err, node.ErrNoRegister) {
			t.Errorf("before it is written: %v", err)
		}
		for i := range 20 {
			putRegister(ctx, t, owner, id.Name, node.RegisterDraft{Value: fmt.Append(nil, i)})
			if i == 3 || i == 4 {
				value(ctx, t, reader, id)
			}
		}
		own, err := owner.History(ctx, id)
		if err != nil || len(own) != 16 {
			t.Fatalf("its owner knows %d versions, %v", len(own), err)
		}
		for i, v := range own[:15] {
			if v.Missing || v.Record.Rev() <= own[i+1].Record.Rev() {
				t.Errorf("version %d: %+v", i, v)
			}
		}
		seen, err := reader.History(ctx, id)
		if err != nil || len(seen) != 3 {
			t.Fatalf("the reader has seen %d versions, %v", len(seen), err)
		}
		if !seen[0].Missing || seen[1].Missing || !seen[2].Missing {
			t.Errorf("missing before each: %t, %t, %t", seen[0].Missing, seen[1].Missing, seen[2].Missing)
		}
	})
}

// All who claim a nickname are found by everybody, none can take another's claim
// away, and who gives one up claims it no more.
func TestName_threeClaimants(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 9, Links: nodetest.LinksConfig{Seed: 68}}, func(ctx context.Context, net *nodetest.Network) {
		name := records.Tag("ada")
		for _, x := range net.Nodes[:3] {
			for range 2 { // twice is once
				if _, err := x.Claim(ctx, name); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := net.Nodes[5].Unclaim(ctx, name); !errors.Is(err, node.ErrNotFound) {
			t.Errorf("gave up what it never claimed: %v", err)
		}
		claimants := func(x *nodetest.Node) map[records.User]bool {
			all, err := x.FindName(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			out := map[records.User]bool{}
			for _, r := range all {
				out[r.Author()] = true
			}
			return out
		}
		for _, x := range net.Nodes {
			got := claimants(x)
			if len(got) != 3 || !got[net.Nodes[0].User()] || !got[net.Nodes[1].User()] || !got[net.Nodes[2].User()] {
				t.Errorf("node %d finds %d claimants", x.Index, len(got))
			}
		}
		if _, err := net.Nodes[1].Unclaim(ctx, name); err != nil {
			t.Fatal(err)
		}
		if got := claimants(net.Nodes[8]); len(got) != 2 || got[net.Nodes[1].User()] {
			t.Errorf("once given up, %d claim it", len(got))
		}
	})
}

// Where more claim a name than a bucket holds, the tree below is read too.
func TestName_manyClaimants(t *testing.T) {
	network, err := records.NewNetwork("narrow", records.Params{Neighbourhood: 4, Capacity: 4})
	if err != nil {
		t.Fatal(err)
	}
	simulate(t, nodetest.Config{Nodes: 6, Network: network, Links: nodetest.LinksConfig{Seed: 69}}, func(ctx context.Context, net *nodetest.Network) {
		for i := range 30 {
			key := records.KeyFromSeed([32]byte{byte(i + 1)})
			r, err := records.Seal(ctx, network, records.AuthorSigner(key), records.NewClaim(nil, records.MillisOf(time.Now()), "ada"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := net.Nodes[i%6].PublishRecord(ctx, r, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, x := range net.Nodes {
			if all, err := x.FindName(ctx, "ada"); err != nil || len(all) != 30 {
				t.Errorf("node %d finds %d of 30, %v", x.Index, len(all), err)
			}
		}
	})
}

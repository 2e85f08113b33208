package node_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// A node that is started from last week's backup has forgotten what it signed since.
// It forks nothing: what it knows better is what the network shows it, what it would
// write on top of what it remembers is refused with what stands, and what was deleted
// stays so, on that node too. (A timeline shows a deleted post without its text.)
func TestBackup_lastWeeks(t *testing.T) {
	const number = 2
	var key records.Key
	c := nodetest.Config{Nodes: 7, Links: nodetest.LinksConfig{Seed: 91}, Tune: func(i int, c *node.Config) {
		if c.HealInterval = 2 * time.Minute; i == number {
			key = c.Person
		}
	}}
	simulate(t, c, func(ctx context.Context, net *nodetest.Network) {
		owner, network := net.Nodes[number], simulation(t)
		seat := service(owner, "seat")
		kept := publish(ctx, t, owner, node.Draft{Text: "stays #sky"})
		draft := publish(ctx, t, owner, node.Draft{Text: "first draft #sky"})
		gone := publish(ctx, t, owner, node.Draft{Text: "to be deleted #sky"})
		old := putRegister(ctx, t, owner, seat.Name, node.RegisterDraft{Value: []byte("1")})
		net.Pass(time.Minute)
		backup := owner.Disk.Copy()

		net.Pass(5 * time.Minute)
		second := edit(ctx, t, owner, draft, "second draft #sky")
		tombstone, err := owner.Delete(ctx, gone.Ref())
		if err != nil {
			t.Fatal(err)
		}
		stands := putRegister(ctx, t, owner, seat.Name, node.RegisterDraft{Value: []byte("2")})

		net.Stop(owner.Index)
		owner.Disk = backup
		net.Restart(owner.Index)
		net.WaitReady()

		remembered := old.Rev()
		_, err = owner.PutRegister(ctx, seat.Name, node.RegisterDraft{Value: []byte("a fork"), Expect: &remembered})
		wantRefused(t, err, records.ErrConflict, stands)
		fork, err := records.NewRegister(old, old.Rev().Millis()+1, seat.Name, records.RegisterBody{Value: []byte("a fork")}, 0)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := records.Seal(ctx, network, records.AuthorSigner(key), fork)
		if err != nil {
			t.Fatal(err)
		}
		_, err = owner.StoreRegister(ctx, signed)
		wantRefused(t, err, records.ErrHaveNewer, stands)
		if _, err := owner.Edit(ctx, gone.Ref(), "not to be deleted #sky"); !errors.Is(err, node.ErrDeleted) {
			t.Errorf("an edit of what was deleted since: %v", err)
		}
		third := edit(ctx, t, owner, draft, "third draft #sky")
		if !third.Wins(second) {
			t.Error("an edit does not go on from the one that the node has forgotten")
		}
		net.Pass(5 * time.Minute)
		for _, x := range net.Nodes {
			if got, want := texts(ctx, t, x, node.TagSource("sky"), 10), []string{"", "third draft #sky", "stays #sky"}; !slices.Equal(got, want) {
				t.Errorf("node %d reads %q, want %q", x.Index, got, want)
			}
			if got := value(ctx, t, x, seat); got != "2" {
				t.Errorf("node %d: %q stands in the register", x.Index, got)
			}
		}
		mustHold(t, net, []*records.Record{kept, third, tombstone.Record})
	})
}

func wantRefused(t *testing.T, err, want error, stands *records.Record) {
	t.Helper()
	var refused *node.RegisterError
	if !errors.As(err, &refused) || !errors.Is(err, want) || refused.Current.ID() != stands.ID() {
		t.Errorf("got %v, want %v and what stands", err, want)
	}
}

func edit(ctx context.Context, t *testing.T, x *nodetest.Node, r *records.Record, text string) *records.Record {
	t.Helper()
	receipt, err := x.Edit(ctx, r.Ref(), text)
	if err != nil {
		t.Fatalf("edit: %v", err)
	}
	return receipt.Record
}

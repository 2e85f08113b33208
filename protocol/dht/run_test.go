package dht_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// When Run has returned nothing answers any more, and nobody is left waiting.
func TestRun_endsCleanly(t *testing.T) {
	inBubble(t, records.Params{Neighbourhood: 4}, func(t *testing.T, n *testNet) {
		first := n.grow(12)
		n.eventually(time.Minute, n.settled)
		kadID := protocol.KadPrefix(n.net) + "/kad/1.0.0"
		if !slices.Contains(first.host.Mux().Protocols(), kadID) {
			t.Fatalf("%s is not answered while running", kadID)
		}
		hung := n.servers()[3]
		n.links.Pause(hung.number)
		place := hung.at
		place[31]++
		waiting := make(chan error, 1)
		go func() { // the search will wait for the one that hangs
			for {
				if _, err := first.Members(t.Context(), place); err != nil {
					waiting <- err
					return
				}
				first.Forget(hung.host.ID())
			}
		}()
		first.end()
		if err := <-first.over; err != nil {
			t.Fatalf("run: %v", err)
		}
		first.over <- nil
		if err := <-waiting; !errors.Is(err, dht.ErrClosed) {
			t.Errorf("a question under way: got %v", err)
		}
		if _, err := first.Members(t.Context(), place); !errors.Is(err, dht.ErrClosed) {
			t.Errorf("a question afterwards: got %v", err)
		}
		if slices.Contains(first.host.Mux().Protocols(), kadID) {
			t.Errorf("%s is still answered", kadID)
		}
		<-time.After(time.Second) // what others were just opening is refused within a round trip
		for _, c := range first.host.Network().Conns() {
			for _, s := range c.GetStreams() {
				if s.Protocol() == kadID {
					t.Errorf("a stream is still open to %s", c.RemotePeer())
				}
			}
		}
		if err := first.Run(t.Context()); err == nil {
			t.Error("ran twice")
		}
	})
}

// Before Run nothing is known and nothing is waited for without end.
func TestNew_startsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNet(t, "dht", records.Params{Neighbourhood: 4}, nil)
		h := quietHost(t)
		d, err := dht.New(dht.Config{Host: h, Network: n.net, Server: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Members(ctx, records.Coordinate{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("members: got %v", err)
		}
		d.Forget("somebody")
		if s := d.Status(); s.Table != 0 || s.Size != 0 || s.Prefix != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestConfig_validate(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, "dht", records.Params{Neighbourhood: 4}, nil)
	h := quietHost(t)
	for name, c := range map[string]struct {
		cfg dht.Config
		ok  bool
	}{
		"least":          {dht.Config{Host: h, Network: n.net}, true},
		"no host":        {dht.Config{Network: n.net}, false},
		"no network":     {dht.Config{Host: h}, false},
		"negative limit": {dht.Config{Host: h, Network: n.net, IPGroups: dht.IPGroups{PerTable: -1}}, false},
	} {
		if _, err := dht.New(c.cfg); (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

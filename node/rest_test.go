package node_test

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// Registers at rest, of owners who are not there, by bytes on the wire. Nobody sends a
// version again that others have: with all of them each node compares what it holds some
// sixty times, as in three hours at the usual pace, for hardly more than without any. Who
// becomes a member then is sent each about once.
func TestRegister_atRest(t *testing.T) {
	const keys, nodes, pace = 100, 4, 20 * time.Second
	rest := 60 * pace
	if smaller() {
		rest /= 3
	}
	network := simulation(t)
	simulate(t, nodetest.Config{Nodes: nodes, Links: nodetest.LinksConfig{Seed: 77}, Tune: healing(pace)}, func(ctx context.Context, net *nodetest.Network) {
		net.Pass(5 * time.Minute)
		sent := func() int64 {
			before := net.Links.Stats().Bytes
			net.Pass(rest)
			return net.Links.Stats().Bytes - before
		}
		silence := sent()
		rs := manyRegisters(t, network, keys)
		size := 0
		for _, r := range rs {
			size += len(r.Bytes())
		}
		net.Plant(ctx, rs)
		all := sent()
		t.Logf("%d bytes without registers, %d with %d of %d bytes together, in %s", silence, all, keys, size, rest)
		if extra := all - silence; extra > int64(size) {
			t.Errorf("%d bytes more with registers than without, whose copies are %d bytes each", extra, size)
		}

		x := net.Start()
		net.WaitReady()
		net.Pass(2 * time.Minute)
		due, got := net.Plan(rs).Cover(x, x.Region()), net.Links.SentTo(x.Index).Bytes
		t.Logf("%d bytes to a new member, of %d due", got, due.Bytes)
		if !due.Whole() || due.Bytes == 0 || got > due.Bytes*3/2 {
			t.Errorf("a new member holds %d of %d registers, and was sent %d bytes for %d", due.Held, due.Due, got, due.Bytes)
		}
	})
}

// manyRegisters are the profiles of so many people, half as large as may be.
func manyRegisters(t *testing.T, network records.Network, keys int) (rs []*records.Record) {
	t.Helper()
	now := time.Now()
	for i := range keys {
		key := records.KeyFromSeed([32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), uint64(i))))
		rs = append(rs, versionOf(t, network, key, now, strings.Repeat("v", records.MaxRecord/2), time.Time{}))
	}
	return rs
}

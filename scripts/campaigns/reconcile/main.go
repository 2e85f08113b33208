// Command reconcile lets two nodes with as many equal records find out how they differ, and mend it.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

func main() { campaign.Main("reconcile", run) }

func run(ctx context.Context, c *campaign.Campaign) error {
	dir, err := os.MkdirTemp("", "starling-reconcile-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	w, err := newWriter(c.Rand)
	if err != nil {
		return err
	}
	began := time.Now()
	records := c.Size(1_000_000, 40_000)
	stores, err := twins(ctx, dir, w, records)
	if err != nil {
		return fmt.Errorf("make two equal stores: %w", err)
	}
	p, err := newPair(ctx, w.network, stores)
	if err != nil {
		return err
	}
	defer p.close()
	c.Table("records on each side", "bytes", "files", "made in")
	c.Row(records, stores[0].Stats().Bytes, dirSize(dir)/2, time.Since(began))
	c.Figure("records", records)
	if err := differences(ctx, c, w, p); err != nil {
		return err
	}
	return weapon(ctx, c, p)
}

// differences gives either side half of so many records that the other lacks, and
// measures what it takes until both have them.
func differences(ctx context.Context, c *campaign.Campaign, w *writer, p *pair) error {
	c.Table("records that differ", "found with", "rounds", "read", "in", "moved with", "x records", "in", "again with")
	for _, n := range []int{0, 10, 1_000} {
		own, err := p.diverge(ctx, w, n)
		if err != nil {
			return err
		}
		found, err := p.find(ctx)
		if err != nil {
			return err
		}
		moved, err := p.mend(ctx, found.differences)
		if err != nil {
			return err
		}
		again, err := p.find(ctx)
		if err != nil {
			return err
		}
		share := 0.0
		if own > 0 {
			share = float64(moved.bytes) / float64(own)
		}
		c.Row(n, found.bytes, found.rounds, found.read, found.took, moved.bytes, share, moved.took, again.bytes)
		name := func(what string) string { return fmt.Sprintf("%s_%d", what, n) }
		c.Figure(name("rounds"), found.rounds)
		c.Figure(name("find_ms"), milliseconds(found.took))
		c.Figure(name("move_ms"), milliseconds(moved.took))
		c.Figure(name("moved_x_records"), share)
		c.AtMost(name("bytes"), float64(found.bytes), map[int]float64{0: 1 << 10, 10: 32 << 10, 1_000: 2 << 20}[n])
		c.AtMost(name("elements_read"), float64(found.read), 512*float64(len(found.differences)))
		c.AtMost(name("not_found"), float64(n-found.records()), 0)
		c.AtMost(name("found_wrongly"), float64(found.records()-n), 0)
		c.AtMost(name("left"), float64(len(again.differences)), 0)
		c.AtMost(name("bytes_in_the_end"), float64(again.bytes), 1<<10)
	}
	same, err := p.same()
	if err != nil {
		return err
	}
	c.AtLeast("fingerprints_equal", same, 1)
	return nil
}

// weapon lets a peer ask for everything again and again, as fast as it is
// answered, and looks at what it gets and at what an honest peer gets meanwhile.
func weapon(ctx context.Context, c *campaign.Campaign, p *pair) error {
	length := time.Duration(c.Size(20, 5)) * time.Second
	alone, err := p.find(ctx)
	if err != nil {
		return err
	}
	got, beside, err := p.besiege(ctx, length)
	if err != nil {
		return err
	}
	rate := float64(got.bytes) / length.Seconds()
	c.Table("a peer that asks for all", "answers", "bytes/s", "share of a core", "honest peer alone", "honest peer beside")
	c.Row(length, got.rounds, rate, got.work.Seconds()/length.Seconds(), alone.took, beside)
	c.Figure("siege_answers", got.rounds)
	c.Figure("honest_alone_ms", milliseconds(alone.took))
	c.Figure("honest_beside_ms", milliseconds(beside))
	c.AtMost("siege_bytes_per_second", rate, 1.1*protocol.ReconcileRate)
	c.AtMost("siege_share_of_a_core", got.work.Seconds()/length.Seconds(), 1.2/(1+protocol.ReconcileRest))
	c.AtMost("honest_beside_seconds", beside.Seconds(), protocol.ReplyRoomWait.Seconds())
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

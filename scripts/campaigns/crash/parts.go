package main

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/crash"
)

// power lets the power go, with nothing, half and all of what was not synced on disk.
func power(ctx context.Context, c *campaign.Campaign) error {
	seeds, acknowledged, lost, anew := c.Size(1002, 60), 0, 0, 0
	c.Table("power goes", "unsynced", "acknowledged", "lost", "made anew")
	for _, unsynced := range []int{0, 50, 100} {
		a, l, m := 0, 0, 0
		for range seeds / 3 {
			r, err := crash.LosePower(ctx, c.Rand.Uint64(), unsynced)
			if err != nil {
				return err
			}
			a, l = a+r.Acknowledged, l+r.Lost
			if r.MadeAnew {
				m++
			}
		}
		c.Row(seeds/3, unsynced, a, l, m)
		acknowledged, lost, anew = acknowledged+a, lost+l, anew+m
	}
	c.Figure("power_seeds", seeds/3*3)
	c.Figure("power_acknowledged", acknowledged)
	c.Figure("power_made_anew", anew)
	c.AtMost("power_lost", float64(lost), 0)
	return nil
}

// flips damages stores that were closed, and some that crashed, by a bit in files
// of all kinds alike.
func flips(ctx context.Context, c *campaign.Campaign) error {
	kinds := map[string]*flipSum{}
	var total flipSum
	var slowest time.Duration
	for _, closed := range []bool{true, false} {
		sp, err := crash.NewSpecimen(ctx, c.Size(400, 60), closed)
		if err != nil {
			return err
		}
		for range c.Size(300, 60) {
			f, err := sp.Flip(ctx, c.Rand)
			if err != nil {
				return err
			}
			if kinds[f.Kind] == nil {
				kinds[f.Kind] = new(flipSum)
			}
			kinds[f.Kind].add(f)
			total.add(f)
			slowest = max(slowest, f.Took)
		}
	}
	c.Table("bits flipped in", "flips", "noticed", "to fetch", "in silence")
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		s := kinds[kind]
		c.Row(kind, s.flips, s.noticed, s.lost, s.silent)
	}
	c.Figure("flips", total.flips)
	c.Figure("flips_noticed", total.noticed)
	c.Figure("flips_records_to_fetch", total.lost)
	c.AtMost("flips_silent", float64(total.silent), 0)
	c.AtMost("flips_serving_s", slowest.Seconds(), 60)
	return nil
}

type flipSum struct{ flips, noticed, lost, silent int }

func (s *flipSum) add(f crash.Flip) {
	s.flips, s.lost, s.silent = s.flips+1, s.lost+f.Lost, s.silent+f.Silent
	if f.Noticed {
		s.noticed++
	}
}

// syncs lets one sync fail.
func syncs(ctx context.Context, c *campaign.Campaign) error {
	var sum crash.Sync
	rounds := c.Size(300, 30)
	for range rounds {
		r, err := crash.FailSync(ctx, c.Rand.Uint64())
		if err != nil {
			return err
		}
		sum.Acknowledged, sum.Refused = sum.Acknowledged+r.Acknowledged, sum.Refused+r.Refused
		sum.Lost, sum.Again = sum.Lost+r.Lost, sum.Again+r.Again
	}
	c.Table("syncs failed", "acknowledged", "refused", "lost", "used again")
	c.Row(rounds, sum.Acknowledged, sum.Refused, sum.Lost, sum.Again)
	c.Figure("syncs_failed", rounds)
	c.Figure("sync_refused", sum.Refused)
	c.AtMost("sync_lost", float64(sum.Lost), 0)
	c.AtMost("sync_files_used_again", float64(sum.Again), 0)
	return nil
}

// full fills a file system of 48 MiB in memory, which only root can make.
func full(ctx context.Context, c *campaign.Campaign) error {
	disk, err := os.MkdirTemp("", "starling-full-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(disk) }()
	if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=48m", "starling", disk).CombinedOutput(); err != nil { //nolint:gosec // a directory that we made
		c.Table("disk full")
		c.Row("left out: mount says " + string(out))
		c.Figure("full_left_out", true)
		return nil
	}
	defer func() { _ = exec.CommandContext(context.WithoutCancel(ctx), "umount", disk).Run() }() //nolint:gosec // the same
	f, err := crash.Fill(ctx, disk, c.Size(400, 100))
	if err != nil {
		return err
	}
	c.Table("disk full", "acknowledged", "refused", "unread", "lost", "refusal", "resumed")
	c.Row("48 MiB", f.Acknowledged, f.Refused, f.Unread, f.Lost, f.Longest, f.Resumed)
	c.Figure("full_acknowledged", f.Acknowledged)
	c.Figure("full_refused", f.Refused)
	c.AtMost("full_unread", float64(f.Unread), 0)
	c.AtMost("full_lost", float64(f.Lost), 0)
	c.AtMost("full_refusal_s", f.Longest.Seconds(), 2)
	c.AtMost("full_resumed_s", f.Resumed.Seconds(), 30)
	return nil
}

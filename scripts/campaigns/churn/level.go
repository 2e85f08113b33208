package main

import (
	"context"
	"time"

	"github.com/starling-social/starling/scripts/internal/campaign"
	"github.com/starling-social/starling/scripts/internal/colony"
	"github.com/starling-social/starling/scripts/internal/model"
)

// level has the same happen to whole nodes and to the model: a third of a small
// network dies, and one node joins. What counts is when every living member holds all
// that it should, and when who joined answers for all of its region.
func (p *proof) level(ctx context.Context) error {
	nodes, k := p.Size(60, 24), p.Size(6, 4)
	healed, joined, err := p.whole(ctx, nodes, k)
	if err != nil {
		return err
	}
	w := p.small(nodes, k)
	modelHealed := healedAfter(w)
	number := w.Join()
	modelJoined := time.Duration(0)
	for ; modelJoined < settleTime && !w.Filled(number); modelJoined += time.Second {
		w.Pass(time.Second)
	}
	large := healedAfter(p.small(200, neighbourhood))
	p.Table("both levels", "of nodes", "neighbourhood", "whole nodes", "model")
	p.Row("30 % die: healed", nodes, k, healed, modelHealed)
	p.Row("one joins: filled", nodes, k, joined, modelJoined)
	p.Row("30 % die: healed", 200, neighbourhood, "see heal", large)
	p.AtMost("healed after, whole nodes", healed.Seconds(), (2*interval + time.Minute).Seconds())
	p.AtMost("healed after, model", modelHealed.Seconds(), (2*interval + time.Minute).Seconds())
	p.Figure("filled after, whole nodes", joined.Seconds())
	p.Figure("filled after, model", modelJoined.Seconds())
	return nil
}

// settleTime is how long what happens is looked at. Until connections time out all
// looks well, so that the last moment at which something is missing counts.
const settleTime = 5 * time.Minute

// small is a world like a small network of whole nodes.
func (p *proof) small(nodes, k int) *model.World {
	c := p.chosen(nodes, 300)
	c.Neighbourhood, c.KeyBytes = k, 700
	w := model.New(c)
	w.Plant()
	return w
}

func healedAfter(w *model.World) (healed time.Duration) {
	w.Kill(0.3, nil)
	for t := time.Duration(0); t < settleTime; t += time.Second {
		w.Pass(time.Second)
		if w.Lacking() > 0 {
			healed = t + 2*time.Second
		}
	}
	return healed
}

// whole is the same on whole nodes.
func (p *proof) whole(ctx context.Context, nodes, k int) (healed, joined time.Duration, err error) {
	err = campaign.Simulate(ctx, func(ctx context.Context, s *campaign.Simulation) error {
		net, err := colony.Found(p.Campaign, s, colony.Config{Nodes: nodes, Neighbourhood: k})
		if err != nil {
			return err
		}
		posts, err := net.Library(ctx, p.Size(300, 60))
		if err != nil {
			return err
		}
		net.Net.Plant(ctx, posts)
		net.Net.Kill(net.Some(nodes*3/10, nodes)...)
		const look = 5 * time.Second
		for t := time.Duration(0); t < settleTime && ctx.Err() == nil; t += look {
			net.Net.Pass(look)
			if len(net.Net.Audit(posts)) > 0 {
				healed = t + 2*look
			}
		}
		x := net.Net.Start()
		filled := func() bool { s := x.Status(); return s.Ready && !s.Healing.Filling }
		for ; joined < settleTime && ctx.Err() == nil && !filled(); joined += time.Second {
			net.Net.Pass(time.Second)
		}
		return ctx.Err()
	})
	return healed, joined, err
}

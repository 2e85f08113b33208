package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/starling-social/starling/scripts/internal/model"
	"github.com/starling-social/starling/scripts/internal/plot"
)

// What is tried instead of the values that are the default.
var (
	sweptK         = []int{2, 4, 8, 16}
	sweptIntervals = []time.Duration{3 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}
)

// sweep is what other values would lose and cost, in a network that loses half of its
// nodes in two hours and gets no new ones: nothing but healing keeps what is there.
// Comparisons come by the clock alone; that a change of the neighbourhood brings them
// forward is what hides the interval, and cannot be relied on where changes go
// unnoticed. A row at the end of each K, as nodes are, shows what it is worth.
func (p *proof) sweep(ctx context.Context) error {
	var trials []trial
	long := time.Duration(p.Size(8, 4)) * time.Hour
	add := func(k int, every time.Duration, clockOnly bool, how string) {
		c := p.chosen(p.Size(2_000, 300), p.Size(4_000, 300))
		c.Neighbourhood, c.Interval, c.ClockOnly = k, every, clockOnly
		trials = append(trials, trial{
			name: fmt.Sprintf("K %d, %s", k, how), world: c, long: long,
			happen: func(w *model.World) { w.Begin(model.Churn{HalfLife: halfLife, Dwindling: true}) },
		})
	}
	for _, k := range sweptK {
		for _, every := range sweptIntervals {
			add(k, every, true, fmt.Sprint("every ", every))
		}
		last := sweptIntervals[len(sweptIntervals)-1]
		add(k, last, false, fmt.Sprint("every ", last, " and on change"))
	}
	p.Table(append([]string{"dwindling, by the clock alone"}, columns...)...)
	out, err := p.try(ctx, trials)
	if err != nil {
		return err
	}
	for i, t := range trials {
		p.Row(append([]any{t.name}, out[i].cells()...)...)
		p.Figure("swept, "+t.name, out[i].lost)
		if t.world.Neighbourhood >= neighbourhood && t.world.Interval == interval {
			p.AtMost("lost, "+t.name, float64(out[i].lost), 0)
		}
	}
	return p.draw(trials, out)
}

// draw writes the curves of loss and of bytes.
func (p *proof) draw(trials []trial, out []outcome) error {
	if p.plots == "" {
		return nil
	}
	for _, d := range []struct {
		file, title, label string
		value              func(model.Config, outcome) float64
	}{
		{"churn-loss.svg", "lost while 2,000 nodes become 125, half-life 2 h", "keys lost of a million (10 stands for none)", func(c model.Config, o outcome) float64 {
			return max(10, 1e6*float64(o.lost)/float64(c.Keys))
		}},
		{"churn-bytes.svg", "compared, for each node and hour", "KiB", func(_ model.Config, o outcome) float64 { return o.talked / (1 << 10) }},
	} {
		picture := plot.Plot{Title: d.title, X: plot.Axis{Label: "minutes between comparisons"}, Y: plot.Axis{Label: d.label}}
		for i, k := range sweptK {
			curve := plot.Curve{Name: fmt.Sprint("K = ", k), Colour: i}
			for j, t := range trials {
				if c := t.world; c.Neighbourhood == k && c.ClockOnly {
					curve.Points = append(curve.Points, plot.Point{X: c.Interval.Minutes(), Y: d.value(c, out[j])})
				}
			}
			picture.Curves = append(picture.Curves, curve)
		}
		if err := write(filepath.Join(p.plots, d.file), picture); err != nil {
			return err
		}
	}
	return nil
}

func write(file string, picture plot.Plot) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	if err := plot.WriteSVG(f, picture); err != nil {
		_ = f.Close()
		return fmt.Errorf("draw %s: %w", file, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	return nil
}

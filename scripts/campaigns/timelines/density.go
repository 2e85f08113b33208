package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/plot"
)

// density reads the newest page of hashtags from one post in ten days to one a
// second, for the plots.
func (o *options) density(ctx context.Context, sc *scene) error {
	perDay := []float64{0.1, 1, 10, 100, 1000, 10_000, 86_400}
	if sc.Quick && o.plots == "" {
		perDay = []float64{1, 10_000}
	}
	var drafts []draft
	now := sc.now()
	for i, d := range perDay {
		times := sketch(sc.Rand, d, now.Add(-400*day), now)
		if d < 100 { // few enough to have them all
			times = steady(sc.Rand, d, now.Add(-max(day*time.Duration(150/d), 2*month)), now)
		}
		drafts = append(drafts, tagged(sc.Rand, tagOf(i), times)...)
	}
	planted, err := sc.plant(ctx, drafts)
	if err != nil {
		return err
	}
	sc.header()
	var studies []study
	wrong, slower := 0, 0.0
	for i, d := range perDay {
		pages := sc.newest(planted[records.TagPlace(tagOf(i))])
		st, err := sc.survey(ctx, fmt.Sprintf("%g posts a day", d), pages[:max(len(pages)/4, 1)], len(pages))
		if err != nil {
			return err
		}
		sc.report(st)
		studies = append(studies, st)
		wrong += st.wrong()
		slower = max(slower, worst(st.cold, st.trustingCold, complete), worst(st.warm, st.trusting, complete))
	}
	sc.AtMost("any density: pages that were not as they should be", float64(wrong), 0)
	sc.AtMost("any density: time of a page, ours / theirs", round(slower), 1)
	return o.draw(perDay, studies)
}

func tagOf(i int) records.Tag { return records.Tag(fmt.Sprintf("density%d", i)) }

// draw writes the plots, if a directory for them was given.
func (o *options) draw(perDay []float64, studies []study) error {
	if o.plots == "" {
		return nil
	}
	for _, p := range []struct {
		file, title, unit string
		of                func(sighting) float64
		scale             float64
	}{
		{"timeline-page.svg", "Until 50 posts are there, median", "milliseconds", complete, 1000},
		{"timeline-first.svg", "Until the first post is there, median", "milliseconds", first, 1000},
		{"timeline-requests.svg", "Requests for a page of 50, median", "requests", requests, 1},
	} {
		picture := plot.Plot{
			Title: p.title, X: plot.Axis{Label: "posts a day"}, Y: plot.Axis{Label: p.unit},
			Curves: curves(perDay, studies, func(all sightings) float64 { return p.scale * quantile(all, 0.50, p.of) }),
		}
		if err := write(filepath.Join(o.plots, p.file), picture); err != nil {
			return err
		}
	}
	return nil
}

// curves are one of each reader, cold and warm.
func curves(perDay []float64, studies []study, value func(sightings) float64) []plot.Curve {
	kinds := []struct {
		name   string
		all    func(study) sightings
		dashed bool
		colour int
	}{
		{"ours, cold", func(s study) sightings { return s.cold }, false, 0},
		{"one at a time, cold", func(s study) sightings { return s.trustingCold }, false, 1},
		{"careful, cold", func(s study) sightings { return s.carefulCold }, false, 2},
		{"ours, warm", func(s study) sightings { return s.warm }, true, 0},
		{"one at a time, warm", func(s study) sightings { return s.trusting }, true, 1},
		{"careful, warm", func(s study) sightings { return s.careful }, true, 2},
	}
	out := make([]plot.Curve, len(kinds))
	for i, k := range kinds {
		out[i] = plot.Curve{Name: k.name, Dashed: k.dashed, Colour: k.colour}
		for j, d := range perDay {
			out[i].Points = append(out[i].Points, plot.Point{X: d, Y: value(k.all(studies[j]))})
		}
	}
	return out
}

func write(path string, p plot.Plot) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := plot.WriteSVG(f, p); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

package main

import (
	"fmt"
	"math"

	"github.com/starling-social/starling/records"
)

// bars are that so many rounds suffice for nineteen of twenty readers, and that
// pages are there so many times as fast as with the baseline.
func bars(most, faster float64) func(*scene, study) {
	return func(sc *scene, st study) {
		sc.AtMost(st.name+": rounds, p95", max(quantile(st.cold, 0.95, rounds), quantile(st.warm, 0.95, rounds)), most)
		if faster > 0 {
			sc.AtLeast(st.name+": times as fast, cold", round(1/worst(st.cold, st.trustingCold, complete)), faster)
			sc.AtLeast(st.name+": times as fast, warm", round(1/worst(st.warm, st.trusting, complete)), faster)
		}
	}
}

// quiet are the bars of timelines in which there is little: nothing may cost more
// than with the baseline.
func quiet(sc *scene, st study) {
	most := 0.0
	for _, of := range []func(sighting) float64{rounds, first, complete} {
		most = max(most, worst(st.cold, st.trustingCold, of), worst(st.warm, st.trusting, of))
	}
	sc.AtMost(st.name+": rounds and times, ours / theirs", round(most), 1)
	most = 0
	for _, of := range []func(sighting) float64{requests, volume} {
		most = max(most, worst(st.cold, st.carefulCold, of), worst(st.warm, st.careful, of))
	}
	sc.AtMost(st.name+": requests and bytes, ours / theirs if careful", round(most), 1)
	sc.AtMost(st.name+": empty months asked about", float64(sc.emptyMonths(st.timeline)), 0)
}

// homely are the bars of a home feed.
func homely(sc *scene, st study) {
	sc.AtMost(st.name+": cold, seconds, p99", quantile(st.cold, 0.99, complete), 3)
	sc.AtMost(st.name+": warm, round trips, p99", quantile(st.warm, 0.99, complete)/(2*latency).Seconds(), 2)
}

// look begins to count what members are asked about.
func (sc *scene) look() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.asked = map[records.Place]int{}
}

// emptyMonths is how often members were asked about a month of a timeline in which
// nothing was posted.
func (sc *scene) emptyMonths(t timeline) (n int) {
	full := map[records.Place]bool{}
	for _, r := range t.posts {
		full[t.root.At(records.LevelMonth, r)] = true
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for p, times := range sc.asked {
		if p.Level() == records.LevelMonth && t.root.Covers(p) && !full[p] {
			n += times
		}
	}
	return n
}

func round(f float64) float64 { return math.Round(f*1000) / 1000 }

// header begins the table of readings.
func (sc *scene) header() {
	sc.Table("timeline, reader             ", "rounds", "places", "requests", "KiB", "first, ms", fmt.Sprintf("%d posts, ms", want))
}

// report prints what a study found: medians, 95th and 99th percentiles.
func (sc *scene) report(st study) {
	sc.Row(st.name)
	for _, k := range []struct {
		name string
		all  sightings
	}{
		{"ours, cold", st.cold},
		{"ours, warm", st.warm},
		{"one at a time, trusting, cold", st.trustingCold},
		{"one at a time, trusting, warm", st.trusting},
		{"one at a time, careful, cold", st.carefulCold},
		{"one at a time, careful, warm", st.careful},
	} {
		if len(k.all) == 0 {
			continue
		}
		cell := func(of func(sighting) float64, scale float64) string {
			return fmt.Sprintf("%.0f %.0f %.0f", quantile(k.all, 0.50, of)*scale, quantile(k.all, 0.95, of)*scale, quantile(k.all, 0.99, of)*scale)
		}
		sc.Row("  "+k.name, cell(rounds, 1), cell(places, 1), cell(requests, 1), cell(volume, 1.0/1024), cell(first, 1000), cell(complete, 1000))
		sc.Figure(st.name+", "+k.name, figuresOf(k.all))
	}
}

// figures are the quantiles of sightings, for the JSON line.
type figures struct {
	Rounds   [3]float64 `json:"rounds"`
	Places   [3]float64 `json:"places"`
	Searches [3]float64 `json:"searches"` // of the DHT, by the baseline
	Requests [3]float64 `json:"requests"`
	Bytes    [3]float64 `json:"bytes"`
	First    [3]float64 `json:"first_ms"`
	All      [3]float64 `json:"page_ms"`
}

func figuresOf(all sightings) (f figures) {
	for i, q := range quantiles {
		f.Rounds[i], f.Places[i] = quantile(all, q, rounds), quantile(all, q, places)
		f.Searches[i] = float64(quantile(all, q, func(s sighting) int { return s.searches }))
		f.Requests[i], f.Bytes[i] = quantile(all, q, requests), quantile(all, q, volume)
		f.First[i], f.All[i] = round(1000*quantile(all, q, first)), round(1000*quantile(all, q, complete))
	}
	return f
}

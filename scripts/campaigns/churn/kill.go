package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/starling-social/starling/scripts/internal/model"
)

// kill takes a share of a large network away at once, before anybody heals, and sets
// what is left beside arithmetic.
func (p *proof) kill(ctx context.Context) error {
	p.Table("killed at once", "of nodes", "neighbourhood", "median", "keys", "lost", "expected", "f^K of them", "held", "read at once", "an hour later")
	least := map[int]float64{30: 1, 50: 0.999, 70: 0.99, 90: 0.85}
	for _, percent := range []int{30, 50, 70, 90} {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c := p.chosen(p.Size(5_000, 1_000), p.Size(20_000, 4_000))
		w := model.New(c)
		w.Plant()
		f := float64(percent) / 100
		sizes, expected := w.Neighbourhoods(), w.Expected(f)
		slices.Sort(sizes)
		w.Kill(f, nil)
		lost, share := w.Lost(), func(n int) float64 { return float64(n) / float64(c.Keys) }
		held, read := share(c.Keys-lost), share(w.Readable())
		w.Pass(time.Hour)
		p.Row(fmt.Sprintf("%d %%", percent), c.Nodes, sizes[0], sizes[len(sizes)/2], c.Keys, lost, expected,
			math.Pow(f, float64(neighbourhood))*float64(c.Keys), held, read, share(w.Readable()))
		p.AtLeast(fmt.Sprintf("held_%d", percent), held, least[percent])
	}
	return nil
}

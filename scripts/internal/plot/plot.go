// Package plot draws curves over logarithmic axes as SVG, for documents: small
// enough to be committed, legible on light and on dark pages.
//
// It owns the drawing alone. What is drawn, a [Plot], is a value; the same value
// gives the same bytes, so a figure that did not change makes no difference to
// commit. It starts no goroutine. Its errors tell what cannot be drawn.
package plot

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Plot is one picture.
type Plot struct {
	Title  string
	X, Y   Axis
	Curves []Curve // at most [MaxCurves]
}

// Axis is what runs along one side. It is logarithmic, from the power of ten below
// the least value to that above the greatest, or closer where 2 or 5 times one fits.
type Axis struct {
	Label string               // with the unit
	Tick  func(float64) string // how a value is written; nil for the plain number
}

// Curve is points that belong together, joined in their order.
type Curve struct {
	Name   string
	Points []Point
	Dashed bool // a second kind of line, for telling pairs apart
	Colour int  // of 0 to MaxCurves-1
}

// Point is one value; both parts are above zero.
type Point struct{ X, Y float64 }

// MaxCurves is how many colours can be told apart.
const MaxCurves = 6

// What cannot be drawn.
var (
	ErrCurves = errors.New("a plot has at least one curve with a point, and colours only up to MaxCurves")
	ErrPoint  = errors.New("a logarithmic axis has no place for what is not above zero and finite")
)

// Of the picture, in its own units, which are pixels unless it is scaled.
const (
	width, height = 760.0, 440.0
	left, right   = 70.0, 20.0
	top, bottom   = 74.0, 56.0
	legendRow     = 18.0
)

// WriteSVG draws p.
func WriteSVG(w io.Writer, p Plot) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("plot %q: %w", p.Title, err)
	}
	d := drawing{w: w}
	d.begin(p.Title)
	rows := math.Ceil(float64(len(p.Curves)) / legendColumns)
	f := frame{
		x: scaleOf(p.all(func(q Point) float64 { return q.X }), left, width-right),
		y: scaleOf(p.all(func(q Point) float64 { return q.Y }), height-bottom, top+(rows-1)*legendRow),
	}
	f.grid(&d, p.X, p.Y)
	for i, c := range p.Curves {
		f.curve(&d, c)
		d.legend(i, c)
	}
	d.printf("</svg>\n")
	return d.err
}

func (p Plot) check() error {
	if len(p.Curves) == 0 {
		return ErrCurves
	}
	for _, c := range p.Curves {
		if len(c.Points) == 0 || c.Colour < 0 || c.Colour >= MaxCurves {
			return fmt.Errorf("curve %q: %w", c.Name, ErrCurves)
		}
		for _, q := range c.Points {
			if !(q.X > 0 && q.Y > 0) || math.IsInf(q.X, 0) || math.IsInf(q.Y, 0) {
				return fmt.Errorf("curve %q at %v, %v: %w", c.Name, q.X, q.Y, ErrPoint)
			}
		}
	}
	return nil
}

func (p Plot) all(part func(Point) float64) (out []float64) {
	for _, c := range p.Curves {
		for _, q := range c.Points {
			out = append(out, part(q))
		}
	}
	return out
}

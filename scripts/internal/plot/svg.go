package plot

import (
	_ "embed" // style.css
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// style gives each colour for light pages and for dark ones; the page shines
// through.
//
//go:embed style.css
var style string

// A drawing is a picture being written.
type drawing struct {
	w   io.Writer
	err error // the first that w returned
}

func (d *drawing) printf(format string, args ...any) {
	if d.err == nil {
		_, d.err = fmt.Fprintf(d.w, format, args...)
	}
}

func (d *drawing) begin(title string) {
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">`+"\n", width, height, escape(title))
	d.printf("<style>\n%s</style>\n", style)
	d.printf(`<text class="title" x="%g" y="22">%s</text>`+"\n", left, escape(title))
}

func (d *drawing) text(x, y float64, anchor, s string) {
	d.printf(`<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, escape(s))
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	d.printf(`<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

const legendColumns = 3

// legend writes the i-th entry, a row of three after the other below the title.
func (d *drawing) legend(i int, c Curve) {
	x := left + float64(i%legendColumns)*(width-left-right)/legendColumns
	y := 44 + float64(i/legendColumns)*legendRow
	d.line(c.class(), x, y-4, x+28, y-4)
	d.text(x+36, y, "start", c.Name)
}

func (c Curve) class() string {
	class := fmt.Sprintf("curve k%d", c.Colour)
	if c.Dashed {
		class += " dashed"
	}
	return class
}

// A frame is the two scales of a picture.
type frame struct{ x, y scale }

// grid draws the lines of all ticks, what they stand for, and what the axes are.
func (f frame) grid(d *drawing, x, y Axis) {
	for _, v := range f.x.ticks() {
		d.line("grid", f.x.at(v), f.y.from, f.x.at(v), f.y.to)
		d.text(f.x.at(v), f.y.from+18, "middle", x.tick(v))
	}
	for _, v := range f.y.ticks() {
		d.line("grid", f.x.from, f.y.at(v), f.x.to, f.y.at(v))
		d.text(f.x.from-8, f.y.at(v)+4, "end", y.tick(v))
	}
	d.text((f.x.from+f.x.to)/2, height-12, "middle", x.Label)
	middle := (f.y.from + f.y.to) / 2
	d.printf(`<text x="16" y="%.1f" text-anchor="middle" transform="rotate(-90 16 %.1f)">%s</text>`+"\n", middle, middle, escape(y.Label))
}

func (a Axis) tick(v float64) string {
	if a.Tick == nil {
		return number(v)
	}
	return a.Tick(v)
}

// curve draws a line through the points, and each of them.
func (f frame) curve(d *drawing, c Curve) {
	var path strings.Builder
	for i, q := range c.Points {
		verb := "L"
		if i == 0 {
			verb = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", verb, f.x.at(q.X), f.y.at(q.Y))
	}
	d.printf(`<path class="%s" d="%s"/>`+"\n", c.class(), path.String())
	for _, q := range c.Points {
		d.printf(`<circle class="curve k%d" cx="%.1f" cy="%.1f" r="3"/>`+"\n", c.Colour, f.x.at(q.X), f.y.at(q.Y))
	}
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder takes everything
	return b.String()
}

package plot_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/starling-social/starling/scripts/internal/plot"
)

func sample() plot.Plot {
	return plot.Plot{
		Title: "time until 50 posts & more",
		X:     plot.Axis{Label: "posts a day"},
		Y:     plot.Axis{Label: "ms"},
		Curves: []plot.Curve{
			{Name: "ours", Points: []plot.Point{{0.1, 100}, {10, 100}, {86400, 200}}},
			{Name: "one <at> a time", Points: []plot.Point{{0.1, 150}, {86400, 1500}}, Dashed: true, Colour: 1},
		},
	}
}

// element is what of an SVG element the tests look at.
type element struct {
	XMLName xml.Name
	Class   string  `xml:"class,attr"`
	CX      float64 `xml:"cx,attr"`
	CY      float64 `xml:"cy,attr"`
	Text    string  `xml:",chardata"`
}

// draw reads the picture as any viewer would.
func draw(t *testing.T, p plot.Plot) (elements []element) {
	t.Helper()
	var b strings.Builder
	if err := plot.WriteSVG(&b, p); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, b.String())
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local != "svg" {
			var e element
			if err := d.DecodeElement(&e, &start); err != nil {
				t.Fatal(err)
			}
			elements = append(elements, e)
		}
	}
}

// Everything is named, and equal ratios are equal distances.
func TestWriteSVG_logarithmic(t *testing.T) {
	var texts []string
	var circles []element
	for _, e := range draw(t, sample()) {
		switch e.XMLName.Local {
		case "text":
			texts = append(texts, e.Text)
		case "circle":
			circles = append(circles, e)
		}
	}
	for _, want := range []string{"time until 50 posts & more", "posts a day", "ms", "ours", "one <at> a time", "0.1", "100000", "100", "1000", "2000"} {
		if !slices.Contains(texts, want) {
			t.Errorf("%q is not written: %q", want, texts)
		}
	}
	if len(circles) != 5 {
		t.Fatalf("%d points, want 5", len(circles))
	}
	a, b, c := circles[0], circles[1], circles[2]
	if perDecade := (b.CX - a.CX) / 2; math.Abs((c.CX-b.CX)/math.Log10(8640)-perDecade) > 0.2 {
		t.Errorf("points at %v, %v and %v are not logarithmic", a.CX, b.CX, c.CX)
	}
	if a.CY != b.CY || c.CY >= b.CY {
		t.Errorf("points are %v, %v and %v high: want the first two alike and the third above", a.CY, b.CY, c.CY)
	}
}

// The same values are drawn by the same bytes, within the picture, whatever they
// are.
func TestWriteSVG_anyRange(t *testing.T) {
	for _, y := range []float64{1e-9, 0.05, 1, 3, 1e12} {
		p := sample()
		p.Curves = []plot.Curve{{Name: "one", Points: []plot.Point{{1, y}}}, {Name: "two", Points: []plot.Point{{2, 1.1 * y}}}}
		for _, e := range draw(t, p) {
			if e.XMLName.Local == "circle" && (e.CX < 70 || e.CX > 740 || e.CY < 0 || e.CY > 384) {
				t.Errorf("%v is drawn at %v, %v", y, e.CX, e.CY)
			}
		}
	}
	var a, b strings.Builder
	if err := errors.Join(plot.WriteSVG(&a, sample()), plot.WriteSVG(&b, sample())); err != nil || a.String() != b.String() {
		t.Errorf("drawn twice it differs, or %v", err)
	}
}

func TestWriteSVG_refusals(t *testing.T) {
	for name, c := range map[string]struct {
		curves []plot.Curve
		want   error
	}{
		"nothing":   {nil, plot.ErrCurves},
		"no points": {[]plot.Curve{{Name: "x"}}, plot.ErrCurves},
		"colour":    {[]plot.Curve{{Points: []plot.Point{{1, 1}}, Colour: plot.MaxCurves}}, plot.ErrCurves},
		"zero":      {[]plot.Curve{{Points: []plot.Point{{1, 0}}}}, plot.ErrPoint},
		"infinite":  {[]plot.Curve{{Points: []plot.Point{{math.Inf(1), 1}}}}, plot.ErrPoint},
		"no number": {[]plot.Curve{{Points: []plot.Point{{1, math.NaN()}}}}, plot.ErrPoint},
	} {
		if err := plot.WriteSVG(io.Discard, plot.Plot{Curves: c.curves}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if err := plot.WriteSVG(full{}, sample()); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a full disk gives %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

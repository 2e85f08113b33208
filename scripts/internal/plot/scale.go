package plot

import (
	"math"
	"slices"
	"strconv"
)

// A scale puts values between two ends of a line.
type scale struct {
	low, high float64 // of the values
	from, to  float64 // of the picture
}

// steps are what a scale may begin and end with, times a power of ten.
var steps = []float64{1, 2, 5, 10}

// scaleOf is the scale that holds all of some values.
func scaleOf(values []float64, from, to float64) scale {
	s := scale{low: below(slices.Min(values)), high: above(slices.Max(values)), from: from, to: to}
	if s.low == s.high {
		s.low, s.high = below(s.low*0.99), above(s.high*1.01)
	}
	return s
}

// slack lets a value be its own step in spite of rounding.
const slack = 1e-9

// below is the greatest step that is not above v.
func below(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	best := power
	for _, m := range steps {
		if m*power <= v*(1+slack) {
			best = m * power
		}
	}
	return best
}

// above is the least step that is not below v.
func above(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range steps {
		if m*power >= v*(1-slack) {
			return m * power
		}
	}
	return 10 * power
}

// at is where a value stands in the picture.
func (s scale) at(v float64) float64 {
	return s.from + (s.to-s.from)*math.Log(v/s.low)/math.Log(s.high/s.low)
}

// ticks are the values to write: powers of ten, with twice and five times them
// where the scale spans few.
func (s scale) ticks() (out []float64) {
	few := s.high/s.low < 1000*(1+slack)
	for power := math.Pow(10, math.Floor(math.Log10(s.low))); power <= s.high*(1+slack); power *= 10 {
		for _, m := range steps[:3] {
			v := m * power
			if (m == 1 || few) && v >= s.low*(1-slack) && v <= s.high*(1+slack) {
				out = append(out, v)
			}
		}
	}
	return out
}

// number writes a value with the digits that it needs.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
}

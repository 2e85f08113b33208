package dht

import "github.com/starling-social/starling/records"

// What the tests of the pure parts reach for.
type (
	Region       = region
	View         = view
	SizeEstimate = sizeEstimate
	Coordinate   = records.Coordinate
)

const (
	MaxPrefix = maxPrefix
	SizeSlack = sizeSlack
	SizeStep  = sizeStep
)

var (
	RegionOf     = regionOf
	Sibling      = sibling
	SharedBits   = sharedBits
	Nearer       = nearer
	Fraction     = fraction
	KeyIn        = keyIn
	PrefixLength = prefixLength
	NextPrefix   = nextPrefix
	Median       = median
	FitSize      = fitSize
)

func (r Region) Holds(c Coordinate) bool { return r.holds(c) }
func (r Region) Prefix() Coordinate      { return r.prefix }
func (r Region) Bits() int               { return r.bits }

func NewView(size float64, shared map[int]int, self int) View {
	v := View{size: size, self: self}
	for bits, n := range shared {
		v.shared[min(bits, maxPrefix)] += n
	}
	return v
}

func (e *SizeEstimate) Count(n int)        { e.count(n) }
func (e *SizeEstimate) Sample(d []float64) { e.sample(d) }
func (e *SizeEstimate) Size() float64      { return e.size }

package healing

import "github.com/starling-social/starling/records"

// A Part of the ring is all coordinates that share the first bits of a prefix.
type Part struct {
	Prefix records.Coordinate
	Bits   int
}

// Covers tells whether all of o lies in p.
func (p Part) Covers(o Part) bool { return p.Bits <= o.Bits && p.Holds(o.Prefix) }

// Holds tells whether a coordinate lies in p.
func (p Part) Holds(at records.Coordinate) bool { return p.Prefix.SharedBits(at) >= p.Bits }

// Within is what p and o have in common: one of them, or nothing.
func (p Part) Within(o Part) (common Part, some bool) {
	switch {
	case o.Bits >= noRegion:
		return Part{}, false
	case o.Covers(p):
		return p, true
	default:
		return o, p.Covers(o)
	}
}

// half is the half of p in which its prefix lies.
func (p Part) half() Part { return Part{p.Prefix, p.Bits + 1} }

// Ends are the first and the last coordinate of p.
func (p Part) Ends() (first, last records.Coordinate) {
	for i := range p.Prefix {
		free := byte(0xff) >> min(max(p.Bits-8*i, 0), 8)
		first[i], last[i] = p.Prefix[i]&^free, p.Prefix[i]|free
	}
	return first, last
}

// Other is the part that differs in the last bit alone.
func (p Part) Other() Part {
	p.Prefix[(p.Bits-1)/8] ^= 0x80 >> ((p.Bits - 1) % 8)
	return p
}

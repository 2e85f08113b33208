package healing_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/node/healing"
	"github.com/starling-social/starling/records"
)

// What two parts have in common holds exactly the coordinates that both hold.
func TestPart_within(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := func(name string) healing.Part {
			first := rapid.Byte().Draw(t, name)
			return healing.Part{Prefix: records.Coordinate{first}, Bits: rapid.SampledFrom([]int{0, 1, 2, 3, 4, 256, 257, 1 << 30}).Draw(t, name+" bits")}
		}
		p, o := part("p"), part("o")
		common, some := p.Within(o)
		for first := range 256 {
			at := records.Coordinate{byte(first)}
			if both := p.Holds(at) && o.Holds(at); both != (some && common.Holds(at)) {
				t.Fatalf("%v of %v and %v: %v, %t", at[0], p, o, common, some)
			}
		}
	})
}

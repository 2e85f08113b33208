package reconcile_test

import (
	"bytes"
	"cmp"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records/reconcile"
)

func drawElement(t *rapid.T, label string) (e reconcile.Element) {
	b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xff}), 96, 96).Draw(t, label)
	n := copy(e.At[:], b)
	n += copy(e.Key[:], b[n:])
	copy(e.ID[:], b[n:])
	return e
}

// Bounds are in the order of the elements they come right before.
func TestBound_order(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawElement(t, "a"), drawElement(t, "b")
		x, y := reconcile.BoundOf(a), reconcile.BoundOf(b)
		if cmp.Compare(x, y) != a.Compare(b) || a.Before(y) != (a.Compare(b) < 0) {
			t.Fatalf("%x and %x", x, y)
		}
		if a.Before(reconcile.Start) || !a.Before(reconcile.End) || x >= reconcile.End {
			t.Fatalf("%x is not between start and end", x)
		}
	})
}

// The range under a prefix has the elements that share its bits, and no others.
func TestUnder_sharesBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix, e := drawElement(t, "prefix").At, drawElement(t, "element")
		bits := rapid.IntRange(0, 256).Draw(t, "bits")
		if same := rapid.IntRange(0, 32).Draw(t, "bytes in common"); same > 0 {
			copy(e.At[:same], prefix[:same])
		}
		shared := bytes.Equal(prefix[:bits/8], e.At[:bits/8])
		if bits%8 > 0 {
			shared = shared && (prefix[bits/8]^e.At[bits/8])>>(8-bits%8) == 0
		}
		from, to := reconcile.Under(prefix, bits)
		if within := !e.Before(from) && e.Before(to); within != shared {
			t.Fatalf("%x under %d bits of %x: %t", e.At, bits, prefix, within)
		}
	})
}

package records_test

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

func drawFingerprint(t *rapid.T, label string) records.Fingerprint {
	f := records.Fingerprint{Count: rapid.Uint64().Draw(t, label), Sum: bytes32(t, label)}
	if rapid.Bool().Draw(t, label+" full") {
		for i := range f.Sum[:rapid.IntRange(0, 32).Draw(t, label+" ones")] {
			f.Sum[i] = 0xff // so that carries run far
		}
	}
	return f
}

// Fingerprints are a commutative group under Plus.
func TestFingerprint_group(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawFingerprint(t, "a"), drawFingerprint(t, "b"), drawFingerprint(t, "c")
		var zero records.Fingerprint
		switch {
		case a.Plus(b) != b.Plus(a):
			t.Fatal("not commutative")
		case a.Plus(b).Plus(c) != a.Plus(b.Plus(c)):
			t.Fatal("not associative")
		case a.Plus(zero) != a || a.Minus(zero) != a:
			t.Fatal("zero is not neutral")
		case a.Minus(a) != zero || a.Plus(b).Minus(b) != a || a.Minus(b).Plus(b) != a:
			t.Fatal("Minus does not undo Plus")
		}
	})
}

// A sum carries from its last byte to its first, and wraps.
func TestFingerprint_carries(t *testing.T) {
	var ones records.Fingerprint
	for i := range ones.Sum {
		ones.Sum[i] = 0xff
	}
	one := records.Fingerprint{Sum: [32]byte{31: 1}}
	if got := ones.Plus(one); got != (records.Fingerprint{}) {
		t.Errorf("2^256-1 and 1 are %x", got.Sum)
	}
	if got := (records.Fingerprint{}).Minus(one); got != ones {
		t.Errorf("0 without 1 is %x", got.Sum)
	}
}

// The order in which entries come and go does not matter, which entries they
// are does.
func TestFingerprint_ofASet(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var entries []records.Fingerprint
	for i := range byte(100) {
		entries = append(entries, records.Element(records.Coordinate{i % 3}, records.ItemKey{i}, records.ID{i}))
	}
	sum := func() (f records.Fingerprint) {
		rng.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		for _, e := range entries {
			f = f.Plus(e)
		}
		return f
	}
	all := sum()
	if all != sum() || all.Count != 100 {
		t.Error("depends on the order")
	}
	for _, e := range entries {
		if all.Minus(e) == all {
			t.Error("an entry does not count")
		}
	}
	a, k, id := records.Coordinate{1}, records.ItemKey{2}, records.ID{3}
	distinct := map[records.Fingerprint]bool{
		records.Element(a, k, id): true, records.Element(records.Coordinate(k), records.ItemKey(a), id): true,
		records.Element(a, records.ItemKey(id), records.ID(k)): true, records.Element(a, k, records.ID{4}): true,
	}
	if len(distinct) != 4 {
		t.Error("two entries share an element")
	}
}

package records

import (
	"encoding/binary"
	"math/bits"
)

// Fingerprint stands for a set of (coordinate, item key, record id): their
// number and the sum, modulo 2^256, of their hashes. It is kept up to date by
// adding and taking away, and equal sets have equal fingerprints. Sums of 256
// bits of BLAKE3 resist the grinding of collisions that makes XOR unfit
// (Meyer, "Range-Based Set Reconciliation", 2023, section 5).
type Fingerprint struct {
	Count uint64
	Sum   [32]byte // big endian
}

// Element is the fingerprint of one entry: that version id of key is held at coordinate.
func Element(at Coordinate, key ItemKey, id ID) Fingerprint {
	var m [96]byte
	copy(m[:32], at[:])
	copy(m[32:64], key[:])
	copy(m[64:], id[:])
	return Fingerprint{Count: 1, Sum: purposeFingerprint.sum(m[:])}
}

// Plus is the fingerprint of the disjoint union.
func (f Fingerprint) Plus(g Fingerprint) Fingerprint {
	out := Fingerprint{Count: f.Count + g.Count}
	var carry uint64
	for i := 24; i >= 0; i -= 8 {
		var s uint64
		s, carry = bits.Add64(binary.BigEndian.Uint64(f.Sum[i:]), binary.BigEndian.Uint64(g.Sum[i:]), carry)
		binary.BigEndian.PutUint64(out.Sum[i:], s)
	}
	return out
}

// Minus is the fingerprint of f without its subset g.
func (f Fingerprint) Minus(g Fingerprint) Fingerprint {
	out := Fingerprint{Count: f.Count - g.Count}
	var borrow uint64
	for i := 24; i >= 0; i -= 8 {
		var s uint64
		s, borrow = bits.Sub64(binary.BigEndian.Uint64(f.Sum[i:]), binary.BigEndian.Uint64(g.Sum[i:]), borrow)
		binary.BigEndian.PutUint64(out.Sum[i:], s)
	}
	return out
}

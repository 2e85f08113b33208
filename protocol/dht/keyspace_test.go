package dht_test

import (
	"bytes"
	"crypto/sha256"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	kb "github.com/libp2p/go-libp2p-kbucket"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// drawCoordinate draws coordinates that often share many bits.
func drawCoordinate(t *rapid.T, name string) (c records.Coordinate) {
	copy(c[rapid.IntRange(0, 31).Draw(t, name+" zeros"):], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name))
	return c
}

func TestSharedBits_equalsTheLibrary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawCoordinate(t, "a"), drawCoordinate(t, "b")
		if got, want := a.SharedBits(b), kb.CommonPrefixLen(a[:], b[:]); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	})
}

func TestNearer_comparesDistances(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		target, a, b := drawCoordinate(t, "target"), drawCoordinate(t, "a"), drawCoordinate(t, "b")
		toA := new(big.Int).SetBytes(kb.Xor(target[:], a[:]))
		toB := new(big.Int).SetBytes(kb.Xor(target[:], b[:]))
		if got, want := dht.Nearer(target, a, b), toA.Cmp(toB); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	})
}

// A region holds exactly the coordinates that share its bits; a region and its
// sibling are the halves of the region above.
func TestRegion_halves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, other := drawCoordinate(t, "c"), drawCoordinate(t, "other")
		bits := rapid.IntRange(0, 255).Draw(t, "bits")
		r, near, far := dht.RegionOf(c, bits), dht.RegionOf(c, bits+1), dht.Sibling(c, bits)
		if got, want := r.Holds(other), c.SharedBits(other) >= bits; got != want {
			t.Fatalf("region of %d bits: holds %v, want %v", bits, got, want)
		}
		if in, out := near.Holds(other), far.Holds(other); in && out || (in || out) != r.Holds(other) {
			t.Fatalf("halves hold %v and %v, the whole %v", in, out, r.Holds(other))
		}
		if r != dht.RegionOf(r.Prefix(), bits) || (r.Holds(other) && r != dht.RegionOf(other, bits)) {
			t.Fatal("two values for one region")
		}
	})
}

func TestRegion_string(t *testing.T) {
	t.Parallel()
	c := records.Coordinate{0b10110000, 0b10000000}
	for bits, want := range map[int]string{0: "*", 1: "1*", 4: "1011*", 9: "101100001*"} {
		if got := dht.RegionOf(c, bits).String(); got != want {
			t.Errorf("%d bits: got %s, want %s", bits, got, want)
		}
	}
}

func TestKeyIn_hashesIntoTheRegion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := dht.RegionOf(drawCoordinate(t, "c"), rapid.IntRange(0, 12).Draw(t, "bits"))
		a, b := dht.KeyIn(r), dht.KeyIn(r)
		if !r.Holds(sha256.Sum256([]byte(a))) || !r.Holds(sha256.Sum256([]byte(b))) {
			t.Fatalf("a key of %s hashes elsewhere", r)
		}
		if bytes.Equal([]byte(a), []byte(b)) {
			t.Fatal("the same key twice")
		}
	})
}

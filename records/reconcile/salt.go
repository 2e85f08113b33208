package reconcile

import (
	"encoding/binary"

	"github.com/zeebo/blake3"

	"github.com/starling-social/starling/records"
)

// Salt makes what a session compares unlike that of any other, so that nobody
// can prepare two sets, or two elements, that look the same in it: whoever begins
// a session draws one at random. That is why fingerprints and elements may be
// compared by a few bytes of a hash: an accident in one session is none in the
// next.
type Salt [16]byte

// context is the derive-key context of this package; docs/spec.md lists all.
const context = "starling 2026-11-21 reconciliation"

// Sizes of what is compared, in bytes.
const (
	markSize   = 8
	digestSize = 8
)

type (
	// A mark stands for the fingerprint of a range that is not empty.
	mark [markSize]byte
	// A digest stands for an element.
	digest [digestSize]byte
)

// A hasher makes the marks and digests of one session. One goroutine uses it.
type hasher struct{ keyed *blake3.Hasher }

func newHasher(salt Salt) hasher {
	var key [32]byte
	blake3.DeriveKey(context, salt[:], key[:])
	keyed, err := blake3.NewKeyed(key[:])
	if err != nil {
		panic(err) // only for a key of another length
	}
	return hasher{keyed}
}

// sum is the keyed hash of m.
func (h hasher) sum(m []byte) (out [32]byte) {
	h.keyed.Reset()
	_, _ = h.keyed.Write(m) // a hash never fails to take bytes
	h.keyed.Sum(out[:0])
	return out
}

// mark and digest hash 40 and 96 bytes: neither can stand for the other.
func (h hasher) mark(f records.Fingerprint) mark {
	var m [8 + 32]byte
	binary.BigEndian.PutUint64(m[:], f.Count)
	copy(m[8:], f.Sum[:])
	s := h.sum(m[:])
	return mark(s[:markSize])
}

func (h hasher) digest(e Element) digest {
	m := e.bytes()
	s := h.sum(m[:])
	return digest(s[:digestSize])
}

// known are the digests of elements, with the index of each.
func (h hasher) known(elements []Element) map[digest]int {
	out := make(map[digest]int, len(elements))
	for i, e := range elements {
		out[h.digest(e)] = i
	}
	return out
}

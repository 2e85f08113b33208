package records

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// A proof of work is a nonce such that BLAKE3(seed, nonce) begins with enough
// zero bits, where seed is the hash of the network's domain and everything in
// the payload before the nonce. It stands inside the signed bytes, so whichever
// way a record travels it carries the same proof, and one hash checks it. Like
// Hashcash (Back, 2002), it prices what it cannot forbid.

// WorkBits is how many leading zero bits a record of the given payload size in
// bytes and number of places must prove: the network's base, one more for every
// doubling of the size beyond 1 KiB and for every doubling of the places.
func (n Network) WorkBits(size, places int) int {
	return n.Params.WorkBits + ceilLog2((size+1023)/1024) + ceilLog2(places)
}

func ceilLog2(v int) int {
	if v <= 1 {
		return 0
	}
	return bits.Len(uint(v - 1))
}

// workSeed is what the nonce at the end of payload is a proof for.
func workSeed(n Network, payload []byte) [32]byte {
	var m material
	m.string(Domain(n))
	m.bytes(payload[:len(payload)-workBytes])
	return purposeWorkSeed.sum(m)
}

// provenBits is how many bits the nonce at the end of payload proves.
func provenBits(n Network, payload []byte) int {
	seed := workSeed(n, payload)
	h := purposeWork.sum(append(seed[:], payload[len(payload)-8:]...))
	return leadingZeros(h)
}

func leadingZeros(h [32]byte) int {
	for i := 0; i < len(h); i += 8 {
		if w := binary.BigEndian.Uint64(h[i:]); w != 0 {
			return 8*i + bits.LeadingZeros64(w)
		}
	}
	return 8 * len(h)
}

// workCheckEvery is how many nonces are tried between looks at the context:
// about 5 ms of work.
const workCheckEvery = 1 << 15

// prove writes the smallest nonce that proves want bits to the end of payload.
func prove(ctx context.Context, n Network, payload []byte, want int) error {
	seed := workSeed(n, payload)
	input := append(seed[:], make([]byte, 8)...)
	h := purposeWork.hasher()
	defer purposeWork.done(h)
	var sum [32]byte
	for nonce := uint64(0); ; nonce++ {
		if nonce%workCheckEvery == workCheckEvery-1 && ctx.Err() != nil {
			return fmt.Errorf("prove work of %d bits: %w", want, ctx.Err())
		}
		binary.LittleEndian.PutUint64(input[32:], nonce)
		h.Reset()
		_, _ = h.Write(input)
		h.Sum(sum[:0])
		if leadingZeros(sum) >= want {
			binary.LittleEndian.PutUint64(payload[len(payload)-8:], nonce)
			return nil
		}
	}
}

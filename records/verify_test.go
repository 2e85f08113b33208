package records_test

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"

	"github.com/starling-social/starling/records"
)

// weakPoints are all encodings of points of small order that crypto/ed25519
// takes for a key: the eight points, their second encodings, and those with the
// sign of an x that is 0.
var weakPoints = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

// weakKeys are posts by users with such keys, under signatures that hold by the
// equation and that nobody needs a private key for.
func weakKeys(t *testing.T) (out []refusal) {
	for _, point := range weakPoints {
		b, err := hex.DecodeString(point)
		if err != nil {
			t.Fatal(err)
		}
		p := plainPayload(t)
		p.Author = b
		envelope := sealMessage(t, p)
		copy(envelope[6:], b)
		copy(envelope[len(envelope)-64:], signedByAnybody(t, records.User(b), records.Signed(testNet, payloadOf(envelope))))
		out = append(out, refused("key of small order "+point, records.ErrSignature, envelope))
	}
	return out
}

// signedByAnybody finds S and R = S·B with R = S·B - h·A, which is so whenever h
// is a multiple of A's order.
func signedByAnybody(t *testing.T, u records.User, message []byte) []byte {
	t.Helper()
	for i := range uint64(1000) {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], i)
		r := ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
		signature := append(slices.Clone(r), littleEndian(new(big.Int).Mod(secretScalar(seed), groupOrder))...)
		if ed25519.Verify(u[:], message, signature) {
			return signature
		}
	}
	t.Errorf("no signature by %x: the case proves nothing", u)
	return make([]byte, 64)
}

// weakR is a post under a signature with a neutral R, which only its author can
// make: S = h·a.
func weakR(t *testing.T) refusal {
	envelope := sealMessage(t, plainPayload(t))
	message, author := records.Signed(testNet, payloadOf(envelope)), person(0)
	u, r := author.User(), append([]byte{1}, make([]byte, 31)...)
	hash := sha512.Sum512(slices.Concat(r, u[:], message))
	h := fromLittleEndian(hash[:])
	signature := append(r, littleEndian(new(big.Int).Mod(h.Mul(h, secretScalar(author.Seed())), groupOrder))...)
	if !ed25519.Verify(u[:], message, signature) {
		t.Error("a signature with a neutral R does not hold: the case proves nothing")
	}
	copy(envelope[len(envelope)-64:], signature)
	return refused("R of small order", records.ErrSignature, envelope)
}

// groupOrder is that of the base point.
var groupOrder, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// secretScalar is the number behind a seed (RFC 8032, 5.1.5).
func secretScalar(seed [32]byte) *big.Int {
	h := sha512.Sum512(seed[:])
	h[0] &= 248
	h[31] = h[31]&127 | 64
	return fromLittleEndian(h[:32])
}

func fromLittleEndian(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func littleEndian(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// beyondOrder adds the group's order to the S of a signature.
func beyondOrder(signature []byte) []byte {
	s := fromLittleEndian(signature[32:])
	return append(slices.Clone(signature[:32]), littleEndian(s.Add(s, groupOrder))...)
}

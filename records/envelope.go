package records

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
)

// The envelope is libp2p's signed envelope (RFC 0002) for an Ed25519 key. Only
// one encoding of it is taken, so it is read by its fixed shape: the bytes equal
// those that go-libp2p's core/record writes, which a test holds.
//
//	0a 24 | 08 01 12 20 public key (32)
//	12 len payload type
//	1a len payload
//	2a 40 signature (64)
const (
	fieldKey       = 1<<3 | 2
	fieldType      = 2<<3 | 2
	fieldPayload   = 3<<3 | 2
	fieldSignature = 5<<3 | 2
)

var keyHeader = []byte{fieldKey, 0x24, 0x08, 0x01, 0x12, 0x20}

// MaxRecord bounds a whole envelope: 4 KiB of text in any script, its facets,
// and room for what kinds to come may carry.
const MaxRecord = 8 << 10

const typePrefix = "/starling/"

// envelope is the parts of an envelope, as slices of its bytes.
type envelope struct {
	signer    User
	network   []byte // id of the network, from the payload type
	payload   []byte
	signature []byte
}

func parseEnvelope(b []byte) (envelope, error) {
	if len(b) > MaxRecord {
		return envelope{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	rest, ok := bytes.CutPrefix(b, keyHeader)
	if !ok || len(rest) < ed25519.PublicKeySize {
		return envelope{}, fmt.Errorf("%w: envelope does not begin with an Ed25519 key", ErrMalformed)
	}
	e := envelope{signer: User(rest[:ed25519.PublicKeySize])}
	payloadType, rest, ok1 := cutField(rest[ed25519.PublicKeySize:], fieldType)
	payload, rest, ok2 := cutField(rest, fieldPayload)
	signature, rest, ok3 := cutField(rest, fieldSignature)
	if !ok1 || !ok2 || !ok3 || len(rest) != 0 || len(signature) != ed25519.SignatureSize {
		return envelope{}, fmt.Errorf("%w: envelope is not in its one encoding", ErrMalformed)
	}
	if e.network, ok = bytes.CutPrefix(payloadType, []byte(typePrefix)); !ok {
		return envelope{}, fmt.Errorf("%w: envelope holds something else", ErrMalformed)
	}
	e.payload, e.signature = payload, signature
	return e, nil
}

// cutField takes a length-delimited field with the given tag byte off b.
func cutField(b []byte, tag byte) (value, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, nil, false
	}
	n, k := binary.Uvarint(b[1:])
	if k <= 0 || n > uint64(len(b)-1-k) || k != uvarintLen(n) {
		return nil, nil, false
	}
	b = b[1+k:]
	return b[:n], b[n:], true
}

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// sealEnvelope signs payload for network n.
func sealEnvelope(n Network, k Key, payload []byte) []byte {
	signer := k.User()
	payloadType := typePrefix + n.ID()
	b := make([]byte, 0, envelopeSize(n, len(payload)))
	b = append(append(b, keyHeader...), signer[:]...)
	b = append(appendUvarint(append(b, fieldType), len(payloadType)), payloadType...)
	b = append(appendUvarint(append(b, fieldPayload), len(payload)), payload...)
	b = append(appendUvarint(append(b, fieldSignature), ed25519.SignatureSize), ed25519.Sign(k.private, signed(n, payload))...)
	return b
}

// envelopeSize is how long the envelope of a payload is.
func envelopeSize(n Network, payload int) int {
	field := func(length int) int { return 1 + uvarintLen(uint64(length)) + length }
	return len(keyHeader) + ed25519.PublicKeySize + field(len(typePrefix)+len(n.ID())) + field(payload) + field(ed25519.SignatureSize)
}

func appendUvarint(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }

// verify tells whether the envelope's signature holds in network n.
func (e envelope) verify(n Network) bool {
	return verify(e.signer, signed(n, e.payload), e.signature)
}

// signed is what RFC 0002 signs: domain, payload type and payload, each with its length.
func signed(n Network, payload []byte) []byte {
	domain, payloadType := Domain(n), typePrefix+n.ID()
	b := make([]byte, 0, len(domain)+len(payloadType)+len(payload)+6)
	b = append(appendUvarint(b, len(domain)), domain...)
	b = append(appendUvarint(b, len(payloadType)), payloadType...)
	return append(appendUvarint(b, len(payload)), payload...)
}

// Domain separates the signatures of a network from those of every other
// network and of every other use of a key.
func Domain(n Network) string { return "starling record " + n.ID() }

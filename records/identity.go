package records

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/mr-tron/base58"
)

// User is a person: the Ed25519 public key that signs, or certifies the device
// keys that sign, all this person's records. It is shown as a did:key.
type User [ed25519.PublicKeySize]byte

const didPrefix = "did:key:z"

// multicodecEd25519 precedes an Ed25519 public key in a did:key.
var multicodecEd25519 = []byte{0xed, 0x01}

// String is the did:key of u (W3C did:key method), 56 characters.
func (u User) String() string { return "did:key:" + u.Multibase() }

// Multibase is the last part of the did:key, as used in register keys.
func (u User) Multibase() string {
	return "z" + base58.Encode(append(multicodecEd25519[:2:2], u[:]...))
}

// ParseUser reads a did:key of an Ed25519 key.
func ParseUser(s string) (User, error) {
	if len(s) > 64 || !strings.HasPrefix(s, didPrefix) {
		return User{}, fmt.Errorf("%w: %.64q", ErrNotUser, s)
	}
	return parseMultibase(s[len(didPrefix)-1:])
}

// maxMultibase is more characters than 34 bytes take.
const maxMultibase = 56

func parseMultibase(s string) (User, error) {
	if len(s) < 2 || len(s) > maxMultibase || s[0] != 'z' {
		return User{}, fmt.Errorf("%w: %.64q", ErrNotUser, s)
	}
	b, err := base58.Decode(s[1:])
	if err != nil || len(b) != 2+ed25519.PublicKeySize || !bytes.HasPrefix(b, multicodecEd25519) || User(b[2:]).Multibase() != s {
		return User{}, fmt.Errorf("%w: %q", ErrNotUser, s)
	}
	return User(b[2:]), nil
}

// Key is the private key of a person or of a device.
type Key struct{ private ed25519.PrivateKey }

// GenerateKey makes a key from 32 bytes of random.
func GenerateKey(random io.Reader) (Key, error) {
	var seed [ed25519.SeedSize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return Key{}, fmt.Errorf("generate key: %w", err)
	}
	return KeyFromSeed(seed), nil
}

// KeyFromSeed is the key of an RFC 8032 seed.
func KeyFromSeed(seed [ed25519.SeedSize]byte) Key {
	return Key{ed25519.NewKeyFromSeed(seed[:])}
}

// Seed is what KeyFromSeed makes the same key from.
func (k Key) Seed() [ed25519.SeedSize]byte { return [ed25519.SeedSize]byte(k.private.Seed()) }

// IsZero tells whether k is no key at all.
func (k Key) IsZero() bool { return k.private == nil }

// User is the public half of k.
func (k Key) User() User { return User(k.private.Public().(ed25519.PublicKey)) }

// Format keeps the private half out of logs, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "key of "+k.User().String()) }

// Certificate says that a device key signs for an author since an epoch. The
// highest epoch wins among versions of one thing, so certifying the remaining
// devices at the next epoch revokes the others.
type Certificate struct {
	Device    User
	Epoch     uint64
	Signature [ed25519.SignatureSize]byte
}

// Certify lets the author's key certify a device.
func Certify(n Network, author Key, device User, epoch uint64) Certificate {
	c := Certificate{Device: device, Epoch: epoch}
	copy(c.Signature[:], ed25519.Sign(author.private, c.signed(n, author.User())))
	return c
}

// Verify tells whether author has certified c.Device at c.Epoch in network n.
func (c Certificate) Verify(n Network, author User) bool {
	return verify(author, c.signed(n, author), c.Signature[:])
}

func (c Certificate) signed(n Network, author User) []byte {
	var m material
	m.string("starling certificate " + n.ID())
	m.fixed(author[:])
	m.fixed(c.Device[:])
	m.number(c.Epoch)
	return m
}

// Signer is who signs a record: the author's own key, or a device key with the
// author's certificate.
type Signer struct {
	Key         Key
	Author      User
	Certificate *Certificate // nil when Key is the author's own
}

// AuthorSigner signs with the author's own key.
func AuthorSigner(k Key) Signer { return Signer{Key: k, Author: k.User()} }

// ID names one version of one thing: the BLAKE3 of the network's domain and the
// payload. The signature is not in it, so nobody can make a rival of the same
// content by signing again.
type ID [32]byte

// ItemKey is what all versions of one thing share.
type ItemKey [32]byte

// Digest is the BLAKE3 of a whole envelope, signature included.
type Digest [32]byte

func (i ID) String() string      { return hex.EncodeToString(i[:]) }
func (k ItemKey) String() string { return hex.EncodeToString(k[:]) }
func (d Digest) String() string  { return hex.EncodeToString(d[:]) }

// DigestOf is the digest under which verified bytes are remembered and stored.
func DigestOf(envelope []byte) Digest { return purposeDigest.sum(envelope) }

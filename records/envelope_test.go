package records_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/record"

	"github.com/starling-social/starling/records"
)

// anyRecord is a payload as go-libp2p's core/record wants it.
type anyRecord struct {
	network records.Network
	payload []byte
}

func (r *anyRecord) Domain() string                 { return records.Domain(r.network) }
func (r *anyRecord) Codec() []byte                  { return []byte("/starling/" + r.network.ID()) }
func (r *anyRecord) MarshalRecord() ([]byte, error) { return r.payload, nil }

func (r *anyRecord) UnmarshalRecord(b []byte) error {
	r.payload = bytes.Clone(b)
	return nil
}

// Our envelope is byte for byte that of libp2p (RFC 0002), which takes ours.
func TestEnvelope_libp2p(t *testing.T) {
	for _, n := range []records.Network{testNet, workNetwork(t, 4)} {
		for _, s := range samples(t) {
			r := seal(t, n, person(0), s.draft)
			theirs := &anyRecord{n, payloadOf(r.Bytes())}
			envelope, err := record.Seal(theirs, libp2pKey(t, person(0)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := envelope.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b, r.Bytes()) {
				t.Errorf("%s: libp2p writes %x, we %x", s.name, b, r.Bytes())
			}
			read := &anyRecord{network: n}
			if _, err := record.ConsumeTypedEnvelope(r.Bytes(), read); err != nil || !bytes.Equal(read.payload, theirs.payload) {
				t.Errorf("%s: libp2p reads %x, %v", s.name, read.payload, err)
			}
			other := &anyRecord{network: mustTestNetwork("other")}
			if _, err := record.ConsumeTypedEnvelope(r.Bytes(), other); !errors.Is(err, record.ErrInvalidSignature) {
				t.Errorf("%s: libp2p reads it in another network: %v", s.name, err)
			}
		}
	}
}

// Appended fields, which libp2p passes over, are refused.
func TestEnvelope_appendedField(t *testing.T) {
	r := seal(t, testNet, person(0), samples(t)[0].draft)
	longer := append(bytes.Clone(r.Bytes()), 6<<3, 1)
	if _, err := record.ConsumeTypedEnvelope(longer, &anyRecord{network: testNet}); err != nil {
		t.Errorf("libp2p: %v: the case proves nothing", err)
	}
	if _, err := records.Open(longer, testNet, noon); !errors.Is(err, records.ErrMalformed) {
		t.Errorf("opened: %v", err)
	}
}

func libp2pKey(t *testing.T, k records.Key) crypto.PrivKey {
	t.Helper()
	seed, u := k.Seed(), k.User()
	key, err := crypto.UnmarshalEd25519PrivateKey(append(seed[:], u[:]...))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

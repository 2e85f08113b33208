package records_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/pb"
)

// A refusal is bytes that must not become a record, and why.
type refusal struct {
	name     string
	network  records.Network
	now      time.Time
	envelope []byte
	reason   error
}

// Every refusal has its reason, and only that one.
func TestOpen_refusals(t *testing.T) {
	for _, c := range refusals(t) {
		r, err := records.Open(c.envelope, c.network, c.now)
		if !errors.Is(err, c.reason) {
			t.Errorf("%s: %v, want %v", c.name, err, c.reason)
		}
		if r != nil {
			t.Errorf("%s: opened all the same", c.name)
		}
		for _, other := range reasons {
			if errors.Is(err, other) && !errors.Is(c.reason, other) {
				t.Errorf("%s: %v is %v too", c.name, err, other)
			}
		}
	}
}

func refusals(t *testing.T) []refusal {
	return slices.Concat(badEnvelopes(t), badSignatures(t), badCertificates(t), badTimes(t), badWork(t), badPayloads(t), badContents(t))
}

func refused(name string, reason error, envelope []byte) refusal {
	return refusal{name, testNet, noon, envelope, reason}
}

func mustMarshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var noWork = []byte{15<<3 | 1, 0, 0, 0, 0, 0, 0, 0, 0}

// plainPayload is the payload of a post that keeps all rules.
func plainPayload(t testing.TB) *pb.Payload {
	t.Helper()
	author, s := person(0).User(), salt(7)
	created := records.MillisOf(noon)
	return &pb.Payload{
		Kind: pb.Kind_KIND_POST, Author: author[:], Created: uint64(created), Salt: s[:], Rev: uint64(records.RevAt(created)),
		Body: mustMarshal(t, &pb.PostBody{Text: "Hello, world"}),
	}
}

// sealMessage signs a payload as its message says it, with the work that its size asks for.
func sealMessage(t testing.TB, p *pb.Payload) []byte {
	t.Helper()
	b := append(mustMarshal(t, p), noWork...)
	if err := records.Prove(t.Context(), testNet, b, testNet.WorkBits(len(b), 1)); err != nil {
		t.Fatal(err)
	}
	return records.SealPayload(testNet, person(0), b)
}

// badEnvelopes are not in the one form of an envelope, and other networks'.
func badEnvelopes(t *testing.T) []refusal {
	good := sealMessage(t, plainPayload(t))
	longType := 38 + 2 + len("/starling/") + len(testNet.ID())
	payload := good[longType:]
	sized := func(n int) []byte {
		p := plainPayload(t)
		p.Body = append(p.Body, bytes.Repeat([]byte{0}, n)...)
		return sealMessage(t, p)
	}
	edit := func(at int, with ...byte) []byte {
		return append(append(slices.Clone(good[:at]), with...), good[at+len(with):]...)
	}
	insert := func(at int, what ...byte) []byte { return slices.Insert(slices.Clone(good), at, what...) }
	other := mustTestNetwork("other")
	twin, err := records.NewNetwork("test", records.Params{Neighbourhood: 5, Capacity: 64})
	if err != nil {
		t.Fatal(err)
	}
	return []refusal{
		refused("nothing", records.ErrMalformed, []byte{}),
		refused("one byte", records.ErrMalformed, good[:1]),
		refused("half", records.ErrMalformed, good[:len(good)/2]),
		refused("one byte less", records.ErrMalformed, good[:len(good)-1]),
		refused("one byte more", records.ErrMalformed, append(slices.Clone(good), 0)),
		refused("an unknown field behind", records.ErrMalformed, append(slices.Clone(good), 6<<3, 1)),
		refused("8193 bytes", records.ErrTooLarge, make([]byte, records.MaxRecord+1)),
		refused("more than 8192 bytes, else valid", records.ErrTooLarge, sized(records.MaxRecord)),
		refused("secp256k1 key", records.ErrMalformed, edit(3, 2)),
		refused("key of 33 bytes", records.ErrMalformed, edit(5, 33)),
		refused("key length in two bytes", records.ErrMalformed, insert(1, 0xa4)),
		refused("payload before its type", records.ErrMalformed, slices.Concat(good[:38], payload[:len(payload)-66], good[38:longType], payload[len(payload)-66:])),
		refused("type length in two bytes", records.ErrMalformed, slices.Concat(good[:39], []byte{good[39] | 0x80, 0}, good[40:])),
		refused("payload length in two bytes", records.ErrMalformed, slices.Concat(good[:longType+1], []byte{good[longType+1] | 0x80, 0}, good[longType+2:])),
		refused("signature length in two bytes", records.ErrMalformed, slices.Concat(good[:len(good)-65], []byte{64 | 0x80, 0}, good[len(good)-64:])),
		refused("payload length of 2^63", records.ErrMalformed, slices.Concat(good[:longType+1], []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, good[longType+2:])),
		refused("payload length beyond 64 bits", records.ErrMalformed, slices.Concat(good[:longType+1], bytes.Repeat([]byte{0xff}, 11), good[longType+2:])),
		refused("two payload types", records.ErrMalformed, insert(38, good[38:longType]...)),
		refused("signature of 63 bytes", records.ErrMalformed, slices.Concat(good[:len(good)-65], []byte{63}, good[len(good)-63:])),
		refused("no signature", records.ErrMalformed, good[:len(good)-66]),
		refused("holds something else", records.ErrMalformed, edit(40, []byte("/starlinG/")...)),
		refused("another network", records.ErrWrongNetwork, seal(t, other, person(0), samples(t)[0].draft).Bytes()),
		refused("a network of the same name with other numbers", records.ErrWrongNetwork, seal(t, twin, person(0), samples(t)[0].draft).Bytes()),
		refused("a network without id", records.ErrWrongNetwork, slices.Concat(good[:39], []byte{10}, good[40:50], payload)),
	}
}

// badSignatures are forged, damaged or made with keys that anybody can sign for.
func badSignatures(t *testing.T) []refusal {
	good := sealMessage(t, plainPayload(t))
	flipped := slices.Clone(good)
	flipped[len(flipped)-1] ^= 1
	reseal := func(signer records.User, signature []byte) []byte {
		p := plainPayload(t)
		p.Author = signer[:]
		b := sealMessage(t, p)
		copy(b[6:], signer[:])
		copy(b[len(b)-64:], signature)
		return b
	}
	foreign, elsewhere := slices.Clone(good), records.SealPayload(mustTestNetwork("other"), person(0), payloadOf(good))
	copy(foreign[len(foreign)-64:], elsewhere[len(elsewhere)-64:])
	out := []refusal{
		refused("one bit of the signature", records.ErrSignature, flipped),
		refused("signature of zeros", records.ErrSignature, reseal(person(0).User(), make([]byte, 64))),
		refused("signature of the same post in another network", records.ErrSignature, foreign),
		refused("signed by another key", records.ErrSignature, records.SealPayload(testNet, person(1), append(mustMarshal(t, plainPayload(t)), noWork...))),
		refused("S beyond the order of the group", records.ErrSignature, reseal(person(0).User(), beyondOrder(good[len(good)-64:]))),
		refused("a key that is no point", records.ErrSignature, reseal(records.User{2}, make([]byte, 64))),
	}
	return append(append(out, weakKeys(t)...), weakR(t))
}

func badCertificates(t *testing.T) []refusal {
	author, device := person(0), person(9)
	certified := func(c records.Certificate) []byte {
		p := plainPayload(t)
		p.Certificate = &pb.Certificate{Device: c.Device[:], Epoch: c.Epoch, Signature: c.Signature[:]}
		return records.SealPayload(testNet, device, append(mustMarshal(t, p), noWork...))
	}
	good := records.Certify(testNet, author, device.User(), 3)
	if _, err := records.Open(certified(good), testNet, noon); err != nil {
		t.Errorf("a good certificate: %v", err)
	}
	later, longer, short := good, plainPayload(t), plainPayload(t)
	later.Epoch++
	longer.Certificate = &pb.Certificate{Device: append(good.Device[:], 0), Epoch: 3, Signature: good.Signature[:]}
	short.Certificate = &pb.Certificate{Device: good.Device[:], Epoch: 3, Signature: good.Signature[:63]}
	return []refusal{
		refused("certificate of another device", records.ErrCertificate, certified(records.Certify(testNet, author, person(8).User(), 3))),
		refused("certificate by another author", records.ErrCertificate, certified(records.Certify(testNet, person(1), device.User(), 3))),
		refused("certificate by the device itself", records.ErrCertificate, certified(records.Certify(testNet, device, device.User(), 3))),
		refused("certificate of another network", records.ErrCertificate, certified(records.Certify(records.MainNetwork(), author, device.User(), 3))),
		refused("certificate of another epoch", records.ErrCertificate, certified(later)),
		refused("certificate that is empty", records.ErrCertificate, certified(records.Certificate{})),
		refused("certificate of a device key of 33 bytes", records.ErrCertificate, sealMessage(t, longer)),
		refused("certificate with a signature of 63 bytes", records.ErrCertificate, sealMessage(t, short)),
	}
}

func badTimes(t *testing.T) []refusal {
	ahead := func(d time.Duration) []byte {
		p := plainPayload(t)
		p.Rev = uint64(records.RevAt(records.MillisOf(noon.Add(d))))
		return sealMessage(t, p)
	}
	last := plainPayload(t)
	last.Rev = 1<<64 - 1
	return []refusal{
		refused("revision 2 minutes and 1 ms ahead", records.ErrFuture, ahead(2*time.Minute+time.Millisecond)),
		refused("revision 100 years ahead", records.ErrFuture, ahead(100*365*24*time.Hour)),
		refused("the last revision of all", records.ErrFuture, sealMessage(t, last)),
		{"a clock that stands at 1970", testNet, time.Unix(0, 0), ahead(0), records.ErrFuture},
	}
}

// badWork is refused in a network that wants 12 bits.
func badWork(t *testing.T) []refusal {
	n := workNetwork(t, 12)
	proven := func(d records.Draft, bits int) []byte {
		payload := payloadOf(seal(t, testNet, person(0), d).Bytes())
		if err := records.Prove(t.Context(), n, payload, bits); err != nil {
			t.Fatal(err)
		}
		return records.SealPayload(n, person(0), payload)
	}
	plain, tagged := samples(t)[0].draft, samples(t)[2].draft
	elsewhere := seal(t, workNetwork(t, 13), person(0), plain)
	unworked := func(name string, b []byte) refusal { return refusal{name, n, noon, b, records.ErrWork} }
	lucky := proven(plain, 12)
	lucky[len(lucky)-66-8] ^= 1 // the nonce
	return []refusal{
		unworked("no work", proven(plain, 0)),
		unworked("work of another network", records.SealPayload(n, person(0), payloadOf(elsewhere.Bytes()))),
		unworked("work for one place of four", proven(tagged, 12)),
		unworked("another nonce", lucky),
	}
}

func workNetwork(t testing.TB, bits int) records.Network {
	t.Helper()
	n, err := records.NewNetwork("work", records.Params{WorkBits: bits, Neighbourhood: 4, Capacity: 64})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

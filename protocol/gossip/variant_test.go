package gossip_test

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"math/big"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/records"
)

// An author signs one post in a hundred ways, which costs one proof of work, and sends them all to one node. The first
// is passed on; the others are not, and cost the sender its standing.
func TestGossip_manySignaturesOfOne(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(3, birds))
		w.add(3)
		w.weave(1)
		e := w.listen(w.members[1], birds)
		r := w.post(w.members[0], "one", birds)
		s := w.stranger(false)
		l := s.call(w.members[0])
		for i := range 100 {
			l.say(w.publish(w.resign(r, w.members[0].author, i), birds))
		}
		elapse(exchangeTime)
		wantOnce(w, []*ear{e}, []*records.Record{r})
		if got := w.members[0].Standing(s.host.ID()); got >= 0 {
			t.Errorf("standing of who sent them: %v", got)
		}
		if n := w.members[1].Stats().Duplicates + w.members[1].Stats().Delivered; n > 3 {
			t.Errorf("passed on %d times", n)
		}
	})
}

// Two nodes are each given another signature of one post, and pass it on to a third: neither is to blame.
func TestGossip_twoSignaturesByTwo(t *testing.T) {
	inWorld(t, nodetest.LinksConfig{}, func(w *world) {
		w.relayed(only(3, birds))
		w.add(3)
		w.connect(w.members[0].host, w.members[2].host)
		w.connect(w.members[1].host, w.members[2].host)
		elapse(3 * time.Second)
		e := w.listen(w.members[2], birds)
		r := w.post(w.members[0], "one", birds)
		w.stranger(false).call(w.members[0]).say(w.publish(w.resign(r, w.members[0].author, 1), birds))
		w.stranger(false).call(w.members[1]).say(w.publish(w.resign(r, w.members[0].author, 2), birds))
		elapse(exchangeTime)
		wantOnce(w, []*ear{e}, []*records.Record{r})
		for _, m := range w.members[:2] {
			if got := w.members[2].Standing(m.host.ID()); got < 0 {
				t.Errorf("an honest node was blamed: %v", got)
			}
		}
	})
}

// resign makes the n-th other signature of a record: Ed25519 with a nonce of our choice in place of the one that RFC 8032
// derives, which any verifier accepts.
func (w *world) resign(r *records.Record, k records.Key, n int) []byte {
	w.Helper()
	payloadType, payload := protoField(r.Bytes(), 2), protoField(r.Bytes(), 3)
	var message []byte
	for _, part := range [][]byte{[]byte(records.Domain(w.network)), payloadType, payload} {
		message = append(binary.AppendUvarint(message, uint64(len(part))), part...)
	}
	private, nonce := k.Seed(), seed(n)
	commitment := ed25519.NewKeyFromSeed(nonce[:]).Public().(ed25519.PublicKey)
	public := k.User()
	challenge := sha512.Sum512(slices.Concat(commitment, public[:], message))
	// S = nonce + challenge * private, modulo the order of the group.
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := new(big.Int).Mul(littleEndian(challenge[:]), clamped(private))
	s.Add(s, clamped(nonce)).Mod(s, order)
	scalar := s.FillBytes(make([]byte, 32))
	slices.Reverse(scalar)
	b := slices.Concat(r.Bytes()[:len(r.Bytes())-ed25519.SignatureSize], commitment, scalar)
	if _, err := records.Open(b, w.network, time.Now()); err != nil {
		w.Fatal(err)
	}
	return b
}

// clamped is the secret scalar of a seed.
func clamped(seed [ed25519.SeedSize]byte) *big.Int {
	h := sha512.Sum512(seed[:])
	h[0] &= 248
	h[31] &= 127
	h[31] |= 64
	return littleEndian(h[:32])
}

func littleEndian(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

// protoField is the first value of a length-delimited field.
func protoField(b []byte, number protowire.Number) []byte {
	for len(b) > 0 {
		n, typ, k := protowire.ConsumeTag(b)
		if n == number {
			v, _ := protowire.ConsumeBytes(b[k:])
			return v
		}
		b = b[k+protowire.ConsumeFieldValue(n, typ, b[k:]):]
	}
	return nil
}

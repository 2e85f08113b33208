package node

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/records"
)

// What a node keeps in files and in its store of small things is read by these, and a
// disk, or a person with an editor, may have changed any of it.

// Whatever is read as a list of what is followed is one that can be followed.
func FuzzDecodeFollows(f *testing.F) {
	someone := records.KeyFromSeed([32]byte{1}).User().String()
	for _, list := range []string{
		"", "{", "null", "[]", `[{"source":"#go","since":1}]`, `[{"source":"` + someone + `","leaving":true}]`, `[{"source":"go"}]`,
		`[{"source":"#go"},{"source":"#Go"}]`, `[{"source":"@` + someone + `"}]`, `[{"source":"#go","since":"yesterday"}]`,
	} {
		f.Add([]byte(list))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeFollows(b)
		if err != nil && list != nil || len(list) > MaxFollowed {
			t.Fatalf("%d sources, %v", len(list), err)
		}
		for i, one := range list {
			if one.Source.Followable() != nil || indexOf(list, one.Source) != i {
				t.Fatalf("%s, the %d. of %d", one.Source, i, len(list))
			}
		}
	})
}

// Whatever is read as a peer that served well is written as it was read.
func FuzzKnownPeer(f *testing.F) {
	id, err := peer.Decode("12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X")
	if err != nil {
		f.Fatal(err)
	}
	k := acquaintance(1, 1, 3)
	k.ID = id
	good, err := json.Marshal(k)
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{good, nil, []byte("{}"), []byte(`{"ID":"x"}`), bytes.Replace(good, []byte("2026"), []byte("soon"), 1)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var k, again knownPeer
		if json.Unmarshal(b, &k) != nil {
			return
		}
		written, err := json.Marshal(k)
		if err != nil {
			return // a time that JSON has no form for
		}
		if err := json.Unmarshal(written, &again); err != nil || again.ID != k.ID || len(again.Addrs) != len(k.Addrs) || !again.Since.Equal(k.Since) || !again.Good.Equal(k.Good) {
			t.Fatalf("%+v is written as %s and read as %+v, %v", k, written, again, err)
		}
	})
}

// Whatever is read as a key can sign.
func FuzzParseKey(f *testing.F) {
	inPEM := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			f.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	other, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	good := inPEM(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)))
	for _, b := range [][]byte{good, inPEM(other), nil, good[:len(good)/2], pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := parseKey("key.pem", b)
		if (err == nil) != (len(key) == ed25519.PrivateKeySize) {
			t.Fatalf("a key of %d bytes, %v", len(key), err)
		}
		if err == nil && !key.Equal(ed25519.NewKeyFromSeed(key.Seed())) {
			t.Fatal("a key whose halves are of two")
		}
	})
}

// Whatever is read as a promise is written as it was.
func FuzzParsePromise(f *testing.F) {
	f.Add(make([]byte, promiseSize))
	f.Add(make([]byte, promiseSize-1))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parsePromise(ds.NewKey("x"), b)
		if ok != (len(b) == promiseSize) || ok && !bytes.Equal(p.encode(), b) {
			t.Fatalf("%x is read as %+v", b, p)
		}
	})
}

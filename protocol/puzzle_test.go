package protocol_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// What the node puzzle's hash of goldenKey begins with.
const (
	goldenPuzzle     = "03ed55df"
	goldenPuzzleBits = 6
)

// goldenKey is the public key of the seed 1, 0, 0 …
func goldenKey() ed25519.PublicKey {
	seed := make([]byte, 32)
	seed[0] = 1
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
}

func puzzleNetwork(tb testing.TB, bits int) records.Network {
	tb.Helper()
	n, err := records.NewNetwork("puzzle", records.Params{PuzzleBits: bits, Neighbourhood: 4, Capacity: 64})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// idOf is the id of the Ed25519 key with the given 32 public bytes.
func idOf(tb testing.TB, public []byte) peer.ID {
	tb.Helper()
	key, err := crypto.UnmarshalEd25519PublicKey(public)
	if err != nil {
		tb.Fatal(err)
	}
	id, err := peer.IDFromPublicKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// The puzzle is a leading-zero count of a derive-key hash of the 32 key bytes;
// the reference here formats bits as text rather than counting them.
func TestSolves_equalsReference(t *testing.T) {
	t.Parallel()
	var networks [13]records.Network
	for bits := range networks {
		networks[bits] = puzzleNetwork(t, bits)
	}
	rapid.Check(t, func(t *rapid.T) {
		public := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "public")
		var sum [32]byte
		blake3.DeriveKey("starling 2026-11-21 node puzzle", public, sum[:])
		text := fmt.Sprintf("%08b%08b", sum[0], sum[1])
		id := peer.ID("\x00\x24\x08\x01\x12\x20" + string(public))
		solved := true
		for bits, n := range networks {
			if bits > 0 && text[bits-1] != '0' {
				solved = false
			}
			if got := protocol.Solves(n, id); got != solved {
				t.Fatalf("solves %d bits: got %v, hash begins %s", bits, got, text)
			}
		}
	})
}

// A fixed key and the bits it solves, so that the hash cannot change unnoticed.
func TestSolves_golden(t *testing.T) {
	t.Parallel()
	public := goldenKey()
	var sum [32]byte
	blake3.DeriveKey("starling 2026-11-21 node puzzle", public, sum[:])
	if got, want := hex.EncodeToString(sum[:4]), goldenPuzzle; got != want {
		t.Errorf("hash of the golden key begins with %s, want %s", got, want)
	}
	id := idOf(t, public)
	for bits := range 12 {
		if got, want := protocol.Solves(puzzleNetwork(t, bits), id), bits <= goldenPuzzleBits; got != want {
			t.Errorf("solves %d bits: got %v, want %v", bits, got, want)
		}
	}
}

func TestSolves_otherIdsNever(t *testing.T) {
	t.Parallel()
	n := puzzleNetwork(t, 0)
	_, secp, err := crypto.GenerateSecp256k1Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ecdsa, err := crypto.GenerateECDSAKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := idOf(t, goldenKey())
	ids := map[string]peer.ID{
		"empty":         "",
		"short":         good[:len(good)-1],
		"long":          good + "x",
		"other type":    peer.ID("\x00\x24\x08\x02" + string(good[4:])),
		"hashed":        peer.ID("\x12\x20" + string(good[6:])),
		"only a prefix": good[:6],
	}
	for name, key := range map[string]crypto.PubKey{"secp256k1": secp, "ecdsa": ecdsa} {
		if ids[name], err = peer.IDFromPublicKey(key); err != nil {
			t.Fatal(err)
		}
	}
	for name, id := range ids {
		if protocol.Solves(n, id) {
			t.Errorf("%s: id %x solves a puzzle of 0 bits", name, string(id))
		}
	}
	if !protocol.Solves(n, good) {
		t.Errorf("an Ed25519 id does not solve a puzzle of 0 bits")
	}
}

func TestMine_solves(t *testing.T) {
	t.Parallel()
	n := puzzleNetwork(t, 8)
	var last uint64
	key, err := protocol.Mine(t.Context(), n, 4, func(tries uint64) {
		if tries < last {
			t.Errorf("progress went back from %d to %d", last, tries)
		}
		last = tries
	})
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if !protocol.Solves(n, id) {
		t.Errorf("mined id %s does not solve the puzzle", id)
	}
	if last == 0 {
		t.Error("no progress was reported")
	}
}

func TestMine_cancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	n := puzzleNetwork(t, 40) // out of reach
	key, err := protocol.Mine(ctx, n, 2, func(uint64) { cancel() })
	if key != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got key %v, error %v; want no key and context.Canceled", key, err)
	}
}

// The stated expectation is within the noise of what mining takes: the mean of
// 64 geometric samples has a standard deviation of an eighth of it.
func TestExpectedTries_isTheMean(t *testing.T) {
	t.Parallel()
	n := puzzleNetwork(t, 6)
	const runs = 64
	var total uint64
	for range runs {
		var tries uint64
		if _, err := protocol.Mine(t.Context(), n, 1, func(n uint64) { tries = n }); err != nil {
			t.Fatal(err)
		}
		total += tries
	}
	mean, want := float64(total)/runs, float64(protocol.ExpectedTries(n))
	if mean < want/2 || mean > want*2 {
		t.Errorf("%d runs took %.0f tries on average, expected %.0f", runs, mean, want)
	}
}

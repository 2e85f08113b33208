package protocol_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/zeebo/blake3"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// mainSeed is the number of a key whose id solves the main network's puzzle of 20
// bits: a million had to be tried for it.
const mainSeed = 1016256

func counted(seed uint64) []byte {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], seed)
	return ed25519.NewKeyFromSeed(s[:]).Public().(ed25519.PublicKey)
}

// At the difficulty that is shipped: what solves the puzzle is the key itself, and
// nothing can be added to a key that does not.
func TestSolves_mainNetwork(t *testing.T) {
	t.Parallel()
	n := records.MainNetwork()
	solution := counted(mainSeed)
	if !protocol.Solves(n, idOf(t, solution)) {
		t.Fatalf("the id of key %d does not solve the puzzle of %d bits", mainSeed, n.Params.PuzzleBits)
	}
	if protocol.Solves(puzzleNetwork(t, 40), idOf(t, solution)) {
		t.Error("what the main network asks for is enough for 40 bits")
	}
	chosen := counted(0) // of an id that suits an attacker's plan
	solved := 0
	for nonce := range uint64(1 << 16) {
		// The nonce that a puzzle after the choice would take: a hash of key and nonce
		// has the bits soon, the key does not get them.
		sum := blake3.Sum256(binary.BigEndian.AppendUint64(append([]byte{}, chosen...), nonce))
		if sum[0] == 0 && sum[1] == 0 {
			solved++
		}
		id := string(idOf(t, chosen))
		if protocol.Solves(n, peer.ID(id+string(binary.BigEndian.AppendUint64(nil, nonce)))) {
			t.Fatalf("nonce %d makes a chosen key a solution", nonce)
		}
	}
	t.Logf("%d of 65536 nonces would have done for 16 bits", solved)
	for name, id := range map[string]peer.ID{
		"a chosen key":          idOf(t, chosen),
		"another key's proof":   peer.ID(string(idOf(t, chosen)) + string(solution)),
		"a proof, another key":  peer.ID(string(idOf(t, solution))[:6] + string(chosen)),
		"half of either":        peer.ID(string(idOf(t, solution))[:22] + string(chosen[16:])),
		"a flipped bit":         peer.ID(string(idOf(t, solution))[:37] + string([]byte{solution[31] ^ 1})),
		"the proof, and a byte": peer.ID(string(idOf(t, solution)) + "\x00"),
	} {
		if protocol.Solves(n, id) {
			t.Errorf("%s solves the puzzle", name)
		}
	}
}

package protocol

import (
	"context"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/records"
)

// The node puzzle prices node ids: only an id whose public key hashes to the
// network's number of leading zero bits may stand in a routing table, hold
// records or relay. The solution is the key itself, so an id that suits an
// attacker's plan has to be searched for among ids that each cost a solution.

// contextPuzzle is the derive-key context of the node puzzle's BLAKE3.
const contextPuzzle = "starling 2026-11-21 node puzzle"

// ed25519ID is how the id of every Ed25519 key begins: an identity multihash of
// 36 bytes that hold the key's protobuf, itself a type and 32 bytes.
const ed25519ID = "\x00\x24\x08\x01\x12\x20"

// progressInterval is how often Mine reports: often enough for a moving bar.
const progressInterval = 100 * time.Millisecond

// puzzleHashers keeps hashers, because setting up a derive-key context costs
// as much as the hash itself. Hashers in the pool are reset.
var puzzleHashers = sync.Pool{New: func() any { return blake3.NewDeriveKey(contextPuzzle) }}

// Solves tells whether p may serve in n: p is the id of an Ed25519 key and the
// BLAKE3 hash of that key begins with as many zero bits as n asks for. Ids of
// other kinds never solve it, whatever n asks for.
func Solves(n records.Network, p peer.ID) bool {
	if len(p) != len(ed25519ID)+32 || p[:len(ed25519ID)] != ed25519ID {
		return false
	}
	h := puzzleHashers.Get().(*blake3.Hasher)
	_, _ = h.WriteString(string(p[len(ed25519ID):])) // a hash never fails to take bytes
	var sum [32]byte
	h.Sum(sum[:0])
	h.Reset()
	puzzleHashers.Put(h)
	return leadingZeros(sum) >= n.Params.PuzzleBits
}

// ExpectedTries is how many keys Mine tries on average. The number of tries is
// geometric: one search in three takes longer than this, one in 150 takes five
// times as long.
func ExpectedTries(n records.Network) uint64 { return 1 << n.Params.PuzzleBits }

// Mine searches for the key of a node that solves n's puzzle, on workers
// goroutines, which are gone when it returns. progress, unless nil, is called
// ten times a second with the tries so far, never by two goroutines at once.
// It ends without a key only when ctx does or when keys cannot be generated.
func Mine(ctx context.Context, n records.Network, workers int, progress func(tries uint64)) (crypto.PrivKey, error) {
	search, stop := context.WithCancel(ctx)
	defer stop()
	var tries atomic.Uint64
	keys := make(chan crypto.PrivKey, max(1, workers))
	g, search := errgroup.WithContext(search)
	for range max(1, workers) {
		g.Go(func() error {
			defer stop()
			key, err := mine(search, n, &tries)
			if err == nil {
				keys <- key
			}
			return err
		})
	}
	report(search, &tries, progress)
	err := g.Wait()
	select {
	case key := <-keys:
		return key, nil
	default:
		return nil, fmt.Errorf("mine a node key for %s after %d tries: %w", n, tries.Load(), err)
	}
}

// mine tries keys until one solves the puzzle or ctx ends.
func mine(ctx context.Context, n records.Network, tries *atomic.Uint64) (crypto.PrivKey, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		key, pub, err := crypto.GenerateEd25519Key(nil) // nil: the system's randomness
		if err != nil {
			return nil, fmt.Errorf("generate key: %w", err)
		}
		tries.Add(1)
		id, err := peer.IDFromPublicKey(pub)
		if err != nil {
			return nil, fmt.Errorf("derive id: %w", err)
		}
		if Solves(n, id) {
			return key, nil
		}
	}
}

// report calls progress until ctx ends, and once more then.
func report(ctx context.Context, tries *atomic.Uint64, progress func(tries uint64)) {
	if progress == nil {
		return
	}
	t := time.NewTicker(progressInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			progress(tries.Load())
		case <-ctx.Done():
			progress(tries.Load())
			return
		}
	}
}

// leadingZeros counts the zero bits at the beginning of h.
func leadingZeros(h [32]byte) int {
	for i, b := range h {
		if b != 0 {
			return 8*i + bits.LeadingZeros8(b)
		}
	}
	return 8 * len(h)
}

package protocol_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/starling-social/starling/protocol"
)

// Checking an id costs one BLAKE3 and two copies.
func BenchmarkSolves(b *testing.B) {
	n := puzzleNetwork(b, 20)
	id := idOf(b, goldenKey())
	b.ReportAllocs()
	for b.Loop() {
		protocol.Solves(n, id)
	}
}

// A try should cost what generating the key costs: the ratio tells.
func BenchmarkMine_perTry(b *testing.B) {
	const bits = 8
	n := puzzleNetwork(b, bits)
	start := time.Now()
	const keys = 1000
	for range keys {
		if _, _, err := ed25519.GenerateKey(nil); err != nil {
			b.Fatal(err)
		}
	}
	bare := float64(time.Since(start).Nanoseconds()) / keys
	var tries uint64
	for b.Loop() {
		if _, err := protocol.Mine(b.Context(), n, 1, func(n uint64) { tries += n }); err != nil {
			b.Fatal(err)
		}
	}
	perTry := float64(b.Elapsed().Nanoseconds()) / float64(tries)
	b.ReportMetric(perTry, "ns/try")
	b.ReportMetric(perTry/bare, "x-keygen")
}

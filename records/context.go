package records

import (
	"encoding/binary"
	"sync"

	"github.com/zeebo/blake3"
)

// Every use of BLAKE3 has a derive-key context of its own, so that no hash made
// for one purpose can stand for another. The strings are part of the protocol
// (docs/spec.md) and pinned by testdata/golden.
const (
	contextNetwork     = "starling 2026-11-21 network parameters"
	contextRecordID    = "starling 2026-11-21 record id"
	contextItemKey     = "starling 2026-11-21 item key"
	contextDigest      = "starling 2026-11-21 envelope digest"
	contextWorkSeed    = "starling 2026-11-21 work seed"
	contextWork        = "starling 2026-11-21 work"
	contextLocation    = "starling 2026-11-21 place location"
	contextFingerprint = "starling 2026-11-21 fingerprint element"
	contextCheck       = "starling 2026-11-21 post id check"
)

// A purpose hashes under one derive-key context. Hashers are pooled because
// each is 8 KiB and setting up a context costs a compression of its own.
type purpose struct {
	context string
	pool    sync.Pool // of *blake3.Hasher, reset
}

func newPurpose(context string) *purpose {
	p := &purpose{context: context}
	p.pool.New = func() any { return blake3.NewDeriveKey(context) }
	return p
}

var (
	purposeNetwork     = newPurpose(contextNetwork)
	purposeRecordID    = newPurpose(contextRecordID)
	purposeItemKey     = newPurpose(contextItemKey)
	purposeDigest      = newPurpose(contextDigest)
	purposeWorkSeed    = newPurpose(contextWorkSeed)
	purposeWork        = newPurpose(contextWork)
	purposeLocation    = newPurpose(contextLocation)
	purposeFingerprint = newPurpose(contextFingerprint)
	purposeCheck       = newPurpose(contextCheck)
)

// sum is the BLAKE3-256 of b under the purpose's context.
func (p *purpose) sum(b []byte) (out [32]byte) {
	h := p.hasher()
	defer p.done(h)
	_, _ = h.Write(b) // a hash never fails to take bytes
	h.Sum(out[:0])
	return out
}

func (p *purpose) hasher() *blake3.Hasher { return p.pool.Get().(*blake3.Hasher) }

// done gives back what hasher gave.
func (p *purpose) done(h *blake3.Hasher) {
	h.Reset()
	p.pool.Put(h)
}

// material gathers the input of a hash such that no two inputs share an
// encoding: numbers have a fixed width, everything else is preceded by its
// length or count.
type material []byte

func (m *material) byte(v byte)     { *m = append(*m, v) }
func (m *material) number(v uint64) { *m = binary.BigEndian.AppendUint64(*m, v) }
func (m *material) fixed(b []byte)  { *m = append(*m, b...) }
func (m *material) bytes(b []byte)  { m.number(uint64(len(b))); m.fixed(b) }
func (m *material) string(s string) { m.number(uint64(len(s))); *m = append(*m, s...) }
func (m *material) count(n int)     { m.number(uint64(n)) }
func (m *material) optional(r *Ref) {
	if r == nil {
		m.byte(0)
		return
	}
	m.byte(1)
	m.fixed(r.Author[:])
	m.number(uint64(r.Created))
	m.fixed(r.Key[:])
}

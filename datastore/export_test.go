package datastore

import "log/slog"

// The ordered map below the store, for its conformance suite.
type (
	KV       = kv
	Snapshot = snapshot
	Batch    = batch
	Span     = span
)

var ErrNoKey = errNoKey

func NewMemoryKV() KV { return newMemory() }

func OpenDiskKV(dir string) (KV, error) {
	d, err := openDisk(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return d, nil
}

func NewSpan(low, high []byte, backward bool) Span { return span{low, high, backward} }
func Under(prefix []byte) Span                     { return under(prefix) }

func (b *batch) Set(key, value []byte) { b.set(key, value) }
func (b *batch) Remove(key []byte)     { b.remove(key) }
func (b *batch) Reset()                { b.reset() }

func Apply(m KV, b *Batch) (func() error, error)               { return m.apply(b) }
func TakeSnapshot(m KV) (Snapshot, error)                      { return m.snapshot() }
func CloseKV(m KV) error                                       { return m.close() }
func Get(s Snapshot, key []byte) ([]byte, error)               { return s.get(key) }
func CloseSnapshot(s Snapshot)                                 { s.close() }
func Scan(s Snapshot, sp Span, v func(k, v []byte) bool) error { return s.scan(sp, v) }

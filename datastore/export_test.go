package datastore

import (
	"errors"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/starling-social/starling/records"
)

// The ordered map below the store, for its conformance suite.
type (
	KV       = kv
	Snapshot = snapshot
	Batch    = batch
	Span     = span
)

var ErrNoKey = errNoKey

func NewMemoryKV() KV { return newMemory() }

// FewRecent is how many records stores of tests keep at hand: so few that they come
// and go.
const FewRecent = 16

// OpenOn makes a store of a map, which it closes in the end.
func OpenOn(m KV, n records.Network) (*Store, error) {
	return OpenOnWith(m, Config{Network: n, Recent: FewRecent})
}

// OpenOnWith is OpenOn with an owner and limits.
func OpenOnWith(m KV, cfg Config) (*Store, error) {
	cfg.Log = slog.New(slog.DiscardHandler)
	return open(m, cfg)
}

// Migrate brings a map from format 1 to 2 by a step.
func Migrate(m KV, step func(cursor []byte, b *Batch) ([]byte, error)) error {
	return migrate(m, 1, 2, map[uint64]migration{
		1: func(_ snapshot, cursor []byte, b *batch) ([]byte, error) { return step(cursor, b) },
	})
}

// Audit works out everything that the store keeps up to date from the records
// and entries themselves, and compares.
func Audit(s *Store) error { return s.Verify() }

// AuditIndexes is Audit without the statistics, which cannot know what vanished
// behind the store's back.
func AuditIndexes(s *Store) error {
	_, err := newAudit(s)
	return err
}

// OpenDiskKV opens the map in a directory, which is unlocked when the map is closed.
func OpenDiskKV(dir string, under vfs.FS) (KV, error) {
	h, err := openHome(dir, under, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	d, err := openDisk(h, false, func() {})
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	return &Hooked{KV: d, OnClose: func() error { return errors.Join(d.close(), h.close()) }}, nil
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

// BareOptions are those that the store gives to Pebble.
func BareOptions() *pebble.Options {
	o := options(newGuard(vfs.Default, slog.New(slog.DiscardHandler), func() {}))
	o.FS = vfs.Default
	return o
}

// Hooked is a map of whose calls a test hears, and which it can answer itself.
type Hooked struct {
	KV
	OnSnapshot func()
	OnGet      func(key []byte) error
	OnApply    func(apply func() (func() error, error)) (func() error, error)
	OnClose    func() error
	Free       func() int64
}

func (h *Hooked) snapshot() (snapshot, error) {
	if h.OnSnapshot != nil {
		h.OnSnapshot()
	}
	v, err := h.KV.snapshot()
	if err != nil || h.OnGet == nil {
		return v, err
	}
	return hookedSnapshot{v, h.OnGet}, nil
}

type hookedSnapshot struct {
	snapshot
	onGet func(key []byte) error
}

func (h hookedSnapshot) get(key []byte) ([]byte, error) {
	if err := h.onGet(key); err != nil {
		return nil, err
	}
	return h.snapshot.get(key)
}

func (h *Hooked) apply(b *batch) (func() error, error) {
	if h.OnApply == nil {
		return h.KV.apply(b)
	}
	return h.OnApply(func() (func() error, error) { return h.KV.apply(b) })
}

func (h *Hooked) space() (diskSpace, error) {
	if h.Free == nil {
		return h.KV.space()
	}
	return diskSpace{free: h.Free()}, nil
}

func (h *Hooked) close() error {
	if h.OnClose != nil {
		return h.OnClose()
	}
	return h.KV.close()
}

// Keys of what tests damage.
func RecordKey(k records.ItemKey) []byte                          { return recordKey(k) }
func HeadKey(at records.Coordinate) []byte                        { return headKey(at) }
func EntryKey(at records.Coordinate, pos records.Position) []byte { return entryKey(at, pos) }

// MaxOnTheWay is how many displaced records a bucket serves.
const MaxOnTheWay = maxOnTheWay

// ErrValue is why a decoder refuses what stands in the database.
var ErrValue = errValue

// What each decoder makes of a value, encoded again.
func RecodeRecord(v []byte) ([]byte, error) {
	s, err := parseStored(v)
	return s.value(), err
}

func RecodeHead(v []byte) ([]byte, error) {
	h, err := parseHead(v)
	if err != nil {
		return nil, err
	}
	return h.value(), nil
}

func RecodeEntry(k, v []byte) (key, value []byte, err error) {
	at, pos, err := parseEntryKey(k)
	if err != nil {
		return nil, nil, err
	}
	e, err := parseEntry(pos, v)
	return entryKey(at, e.pos), e.value(), err
}

func RecodeSum(k, v []byte) (key, value []byte, err error) {
	prefix, sum, err := parseSum(k, v)
	return sumKey(prefix), appendFingerprint(nil, sum), err
}

func RecodeStats(v []byte) ([]byte, error) {
	s, err := parseStats(v)
	return s.value(), err
}

func RecodeDamage(k, v []byte) (key, value []byte, err error) {
	d, err := parseDamage(k, v)
	return damagedKey(d.Key), d.value(), err
}

// FineSums makes the store keep finer sums of whatever has more entries than this.
func (s *Store) FineSums(entries uint64) { s.sums.fine = entries }

// ReviveAtOnce makes a store that failed be opened again with the next write. It is
// called before there is any.
func (s *Store) ReviveAtOnce() { s.revival.every.Store(0) }

// Tidy makes a table of what is in memory.
func (s *Store) Tidy() {
	s.life.RLock()
	defer s.life.RUnlock()
	if d, ok := s.kv.(*disk); ok {
		d.tidy()
	}
}

// Forget has every record be read from disk again.
func (s *Store) Forget() { s.recent.byID.Purge() }

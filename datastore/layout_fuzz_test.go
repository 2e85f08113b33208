package datastore_test

import (
	"bytes"
	"testing"

	"github.com/starling-social/starling/datastore"
)

// Whatever stands in the database is refused, or is exactly what the store would
// write for what it reads.

func FuzzRecord(f *testing.F) { fuzzValues(f, 'r', datastore.RecodeRecord) }

func FuzzHead(f *testing.F) {
	fuzzValues(f, 'p', func(v []byte) ([]byte, error) { return datastore.RecodeHead(v) })
}

func FuzzStats(f *testing.F) { fuzzValues(f, 'm', datastore.RecodeStats) }

func FuzzEntry(f *testing.F) { fuzzPairs(f, 'p', datastore.RecodeEntry) }

func FuzzSum(f *testing.F) { fuzzPairs(f, 'f', datastore.RecodeSum) }

func FuzzDamage(f *testing.F) { fuzzPairs(f, 'q', datastore.RecodeDamage) }

func fuzzValues(f *testing.F, section byte, recode func([]byte) ([]byte, error)) {
	for _, p := range stored(f, section) {
		f.Add([]byte(p[1]))
	}
	for _, m := range misformed() {
		if m.section == section {
			f.Add(m.value)
		}
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		if again, err := recode(v); err == nil && !bytes.Equal(again, v) {
			t.Fatalf("%x is read as %x", v, again)
		}
	})
}

func fuzzPairs(f *testing.F, section byte, recode func(k, v []byte) ([]byte, []byte, error)) {
	for _, p := range stored(f, section) {
		f.Add([]byte(p[0]), []byte(p[1]))
	}
	for _, m := range misformed() {
		if m.section == section {
			f.Add(m.key, m.value)
		}
	}
	f.Fuzz(func(t *testing.T, k, v []byte) {
		k2, v2, err := recode(k, v)
		if err == nil && (len(k) == 0 || !bytes.Equal(k2[1:], k[1:]) || !bytes.Equal(v2, v)) {
			t.Fatalf("%x: %x is read as %x: %x", k, v, k2, v2)
		}
	})
}

// stored are keys and values of one section as a small store has them.
func stored(f *testing.F, section byte) (pairs [][2]string) {
	f.Helper()
	n := smallNetwork(f)
	m := datastore.NewMemoryKV()
	s := closing(f, openOn(f, m, n))
	rs := newWriter(f, n).posts(6)
	puts := putsAt(levelHour, rs...)
	mergeAll(f, s, puts)
	harm(f, m, rs[0].ItemKey(), func(v []byte) []byte { v[len(v)-1] ^= 1; return v })
	_, _ = s.Record(rs[0].ItemKey()) // puts it aside
	v := snapshot(f, m)
	defer datastore.CloseSnapshot(v)
	err := datastore.Scan(v, datastore.Under([]byte{section}), func(k, v []byte) bool {
		pairs = append(pairs, [2]string{string(k), string(v)})
		return true
	})
	if err != nil || len(pairs) == 0 {
		f.Fatalf("%d pairs of section %c, %v", len(pairs), section, err)
	}
	return pairs
}

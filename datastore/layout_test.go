package datastore_test

import (
	"errors"
	"testing"

	"github.com/starling-social/starling/datastore"
)

// pair is what stands in the database under a key, and does not have its form.
type pair struct {
	name       string
	section    byte
	key, value []byte
	recode     func(k, v []byte) error
}

// Sizes in docs/spec.md and doc.go, on purpose not those of the code: what is on disk
// does not change with it.
const (
	entryKeyBytes = 1 + 32 + 6 + 32
	entryBytes    = 1 + 32
	childBytes    = 32
	sumBytes      = 8 + 32
	statsBytes    = 8 * (6 + 2*4)
)

func misformed() []pair {
	ofValue := func(recode func([]byte) ([]byte, error)) func(k, v []byte) error {
		return func(_, v []byte) error { _, err := recode(v); return err }
	}
	ofPair := func(recode func(k, v []byte) ([]byte, []byte, error)) func(k, v []byte) error {
		return func(k, v []byte) error { _, _, err := recode(k, v); return err }
	}
	record, head, stats := ofValue(datastore.RecodeRecord), ofValue(datastore.RecodeHead), ofValue(datastore.RecodeStats)
	entry, sum, damage := ofPair(datastore.RecodeEntry), ofPair(datastore.RecodeSum), ofPair(datastore.RecodeDamage)
	zeros := func(n int) []byte { return make([]byte, n) }
	role := func(r byte, n int) []byte { v := zeros(n); v[0] = r; return v }
	at, item := zeros(entryKeyBytes), zeros(1+32)
	return []pair{
		{"record of a byte", 'r', nil, zeros(1), record},
		{"record without a digest", 'r', nil, zeros(2 + 31), record},
		{"record that says it stands in two places", 'r', nil, append([]byte{0, 2}, zeros(32+32+31)...), record},
		{"head without a place's kind", 'p', nil, zeros(sumBytes + 2), head},
		{"head without all of its count", 'p', nil, zeros(sumBytes + 1), head},
		{"head of a place that there is not", 'p', nil, append(zeros(sumBytes+2), 0xff), head},
		{"statistics that lack a byte", 'm', nil, zeros(statsBytes - 1), stats},
		{"entry whose key lacks a byte", 'p', zeros(entryKeyBytes - 1), zeros(entryBytes), entry},
		{"entry of nothing", 'p', at, nil, entry},
		{"entry of a role that there is not", 'p', at, role(4, entryBytes+childBytes), entry},
		{"witness of no child", 'p', at, role(1, entryBytes), entry},
		{"entry of the bucket with a child", 'p', at, zeros(entryBytes + childBytes), entry},
		{"sum whose key has a byte too many", 'f', zeros(4), zeros(sumBytes), sum},
		{"sum that lacks a byte", 'f', zeros(3), zeros(sumBytes - 1), sum},
		{"damage whose key lacks a byte", 'q', item[1:], zeros(2), damage},
		{"damage of a byte", 'q', item, zeros(1), damage},
		{"damage without the place it names", 'q', item, []byte{0, 1}, damage},
		{"damage with half a place", 'q', item, []byte{0, 1, 0, 2, 1}, damage},
		{"damage at a place that there is not", 'q', item, []byte{0, 1, 0, 1, 0xff}, damage},
	}
}

// What does not have its form is never taken for something else.
func TestLayout_refuses(t *testing.T) {
	for _, m := range misformed() {
		if err := m.recode(m.key, m.value); !errors.Is(err, datastore.ErrValue) {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

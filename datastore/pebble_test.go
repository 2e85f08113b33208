package datastore_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// Tables that cannot be written for a while are tried again; meanwhile and after,
// every acknowledged record is there, and nothing ends the process.
func TestDisk_tablesFailForAWhile(t *testing.T) {
	bad := badDisk{err: syscall.EIO, suffix: ".sst", kinds: []errorfs.OpKind{errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSync}}
	m, err := datastore.OpenDiskKV(t.TempDir(), bad.over(vfs.Default))
	if err != nil {
		t.Fatal(err)
	}
	s := closing(t, openOn(t, m, network(t)))
	bad.left.Store(20)
	w := newWriter(t, network(t))
	text := strings.Repeat("so that tables are written ", 150)
	var rs []*records.Record
	for i := range 2500 {
		rs = append(rs, w.post(author(i%50), epoch+records.Millis(i)*60_000, text))
	}
	if _, err := s.Merge(bg, putsAt(levelHour, rs...)); err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		if _, err := s.Record(r.ItemKey()); err != nil {
			t.Fatal(err)
		}
	}
	if bad.left.Load() >= 20 {
		t.Fatal("no table was written: the test shows nothing")
	}
}

package datastore_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// badDisk fails some operations on files of some suffix, as often as it is told.
type badDisk struct {
	suffix string
	kinds  []errorfs.OpKind
	left   atomic.Int64
}

func (d *badDisk) fs() vfs.FS {
	return errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		for _, k := range d.kinds {
			if op.Kind == k && strings.HasSuffix(op.Path, d.suffix) && d.left.Add(-1) >= 0 {
				return errorfs.ErrInjected
			}
		}
		return nil
	}))
}

// One failed write or sync of the log, once: from then on nothing is acknowledged,
// though the disk is well again, and after opening anew all that had been is there.
func TestDisk_logFailsOnce(t *testing.T) {
	for name, kinds := range map[string][]errorfs.OpKind{
		"write": {errorfs.OpFileWrite},
		"sync":  {errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo},
	} {
		t.Run(name, func(t *testing.T) {
			dir, bad := t.TempDir(), badDisk{suffix: ".log", kinds: kinds}
			m, err := datastore.OpenDiskKV(dir, bad.fs())
			if err != nil {
				t.Fatal(err)
			}
			s := openOn(t, m, network(t))
			rs := newWriter(t, network(t)).posts(40)
			mergeAll(t, s, putsAt(levelHour, rs[:20]...))
			bad.left.Store(1)
			for range 3 {
				if _, err := s.Merge(bg, putsAt(levelHour, rs[20:]...)); !errors.Is(err, datastore.ErrBroken) {
					t.Fatalf("got %v, want ErrBroken", err)
				}
			}
			if b, err := s.Bucket(records.Query{Place: putsAt(levelHour, rs[0])[0].Place, Before: records.Newest, Limit: 64}); err != nil || len(b.Records) < 20 {
				t.Fatalf("reading: %d records, %v", len(b.Records), err)
			}
			_ = s.Close() // it may say what was wrong

			s = openIn(t, dir)
			for _, r := range rs[:20] {
				if _, err := s.Record(r.ItemKey()); err != nil {
					t.Fatalf("acknowledged, and then: %v", err)
				}
			}
			mergeAll(t, s, putsAt(levelHour, rs...))
			if err := datastore.Audit(s); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Tables that cannot be written for a while are tried again; meanwhile and after,
// every acknowledged record is there, and nothing ends the process.
func TestDisk_tablesFailForAWhile(t *testing.T) {
	bad := badDisk{suffix: ".sst", kinds: []errorfs.OpKind{errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSync}}
	m, err := datastore.OpenDiskKV(t.TempDir(), bad.fs())
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

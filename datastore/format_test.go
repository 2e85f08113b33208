package datastore_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

var rewrite = flag.Bool("rewrite", false, "write the fixture of a format that has none yet")

// present fills a map with something of everything that a store keeps: versions and
// deletions, buckets and their witnesses, what was displaced, each class, a record that
// was put aside, and what a node left there.
func present(t *testing.T) (datastore.KV, datastore.Stats) {
	t.Helper()
	u := newUniverse(t)
	m := datastore.NewMemoryKV()
	s, err := datastore.OpenOnWith(unclosed(m), datastore.Config{Network: u.network, Owner: author(1).User()})
	if err != nil {
		t.Fatal(err)
	}
	keeps := map[records.Place]datastore.Class{records.TagPlace("a"): datastore.Followed, records.TagPlace("b"): datastore.Held}
	for i := range 3 {
		keeps[records.UserPlace(author(i).User())] = datastore.Followed
	}
	for _, r := range u.versions {
		for _, root := range r.Roots() {
			class := keeps[root]   // else cached
			for level := range 5 { // from all time down to a day
				if _, err := s.MergeAs(bg, class, []records.Put{{Place: root.At(level, r), Record: r}}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	damaged := u.versions[0]
	harm(t, m, damaged.ItemKey(), damages["a bit of the envelope"])
	if _, err := s.Record(damaged.ItemKey()); !errors.Is(err, datastore.ErrCorrupt) {
		t.Fatalf("a damaged record reads as %v", err)
	}
	if err := s.Datastore().Put(bg, dsKey, []byte("the node's own")); err != nil {
		t.Fatal(err)
	}
	stats := s.Stats()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return m, stats
}

// dump is a map as text, in order of its keys.
func dump(t *testing.T, m datastore.KV) []byte {
	t.Helper()
	v, err := datastore.TakeSnapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	defer datastore.CloseSnapshot(v)
	var out bytes.Buffer
	if err := datastore.Scan(v, datastore.NewSpan(nil, []byte{0xff}, false), func(k, value []byte) bool {
		fmt.Fprintf(&out, "%x %x\n", k, value)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What this version writes is, byte for byte, what its format was when that was fixed:
// who changes the layout gives it a new number, a migration and a fixture of its own,
// which -rewrite writes once.
func TestFormat_present(t *testing.T) {
	m, stats := present(t)
	got := dump(t, m)
	for _, section := range []byte("mrpfdqn") {
		if !bytes.Contains(slices.Concat([]byte("\n"), got), fmt.Appendf(nil, "\n%02x", section)) {
			t.Errorf("the fixture has nothing under %q", section)
		}
	}
	for class, use := range stats.Class {
		if use.Records == 0 {
			t.Errorf("the fixture has nothing of class %d", class)
		}
	}
	path := fmt.Sprintf("testdata/format%d.txt.gz", datastore.Format)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && *rewrite {
		keepFixture(t, path, got)
	}
	if want := dump(t, fixture(t, path)); !bytes.Equal(got, want) {
		t.Errorf("the layout is another than that of format %d: %s", datastore.Format, firstDifference(got, want))
	}
}

func keepFixture(t *testing.T, path string, text []byte) {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(text)
	}
	if err = errors.Join(err, z.Close(), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func firstDifference(got, want []byte) string {
	a, b := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return fmt.Sprintf("line %d is\n%.300s, was\n%.300s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, were %d", len(a), len(b))
}

// A store that an earlier build of this format left opens with all that was in it, and
// is written on.
func TestFormat_opens(t *testing.T) {
	m := fixture(t, fmt.Sprintf("testdata/format%d.txt.gz", datastore.Format))
	_, want := present(t)
	u := newUniverse(t)
	s, err := datastore.OpenOnWith(m, datastore.Config{Network: u.network, Owner: author(1).User()})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got != want {
		t.Errorf("it opens with %+v, want %+v", got, want)
	}
	if err := datastore.Audit(s); err != nil {
		t.Error(err)
	}
	if got, err := s.Datastore().Get(bg, dsKey); err != nil || string(got) != "the node's own" {
		t.Errorf("what the node left there is %q, %v", got, err)
	}
	wins := map[records.ItemKey]*records.Record{}
	for _, r := range u.versions {
		if held := wins[r.ItemKey()]; held == nil || r.Wins(held) {
			wins[r.ItemKey()] = r
		}
	}
	aside, held := u.versions[0].ItemKey(), 0
	for key, r := range wins {
		got, err := s.Record(key)
		if errors.Is(err, datastore.ErrNotFound) {
			continue // put aside, or below the levels that were written to
		}
		if held++; err != nil || key == aside || !bytes.Equal(got.Bytes(), r.Bytes()) {
			t.Errorf("record %s is not what was written: %v", key, err)
		}
	}
	if int64(held) != want.Records {
		t.Errorf("%d records can be read, want %d", held, want.Records)
	}
	mergeAll(t, s, []records.Put{{Place: wins[aside].Roots()[0], Record: wins[aside]}})
	if _, err := s.Record(aside); err != nil {
		t.Errorf("what was put aside and is merged again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Who goes back to this version from a later one is told so, finds that nothing was
// touched, and can go forward again.
func TestFormat_laterOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir, network(t))
	rs := newWriter(t, network(t)).posts(10)
	mergeAll(t, s, putsAt(levelHour, rs...))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mark := func(format byte) []byte {
		t.Helper()
		m, err := datastore.OpenDiskKV(dir, vfs.Default)
		if err != nil {
			t.Fatal(err)
		}
		var b datastore.Batch
		b.Set([]byte("mformat"), []byte{format})
		applyBatch(t, m, &b)
		held := dump(t, m)
		if err := datastore.CloseKV(m); err != nil {
			t.Fatal(err)
		}
		return held
	}
	before := mark(datastore.Format + 1)
	for range 2 {
		if _, err := datastore.Open(datastore.Config{Dir: dir, Network: network(t)}); !errors.Is(err, datastore.ErrNewer) {
			t.Fatalf("got %v, want ErrNewer", err)
		}
	}
	if after := mark(datastore.Format + 1); !bytes.Equal(after, before) {
		t.Error("the refused store was written to")
	}
	mark(datastore.Format)
	s = closing(t, openDir(t, dir, network(t)))
	for _, r := range rs {
		if _, err := s.Record(r.ItemKey()); err != nil {
			t.Errorf("after going forward again: %v", err)
		}
	}
}

package datastore_test

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// fixture is a map as an earlier version left it.
func fixture(t *testing.T, path string) datastore.KV {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	m := datastore.NewMemoryKV()
	var b datastore.Batch
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		var k, v []byte
		if n, err := fmt.Sscanf(lines.Text(), "%x %x", &k, &v); n == 0 { // a value may be empty
			t.Fatal(err)
		}
		b.Set(k, v)
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	applyBatch(t, m, &b)
	return m
}

func applyBatch(t *testing.T, m datastore.KV, b *datastore.Batch) {
	t.Helper()
	durable, err := datastore.Apply(m, b)
	if err == nil {
		err = durable()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A store of format 1 opens with all that was in it, all of it held, and its account
// agrees; it is then of this format.
func TestMigrate_format1(t *testing.T) {
	n := smallNetwork(t)
	m := fixture(t, "testdata/format1.txt.gz")
	for range 2 {
		s := openOn(t, m, n)
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
		st := s.Stats()
		if st.Records != 43 || st.Places != 52 || st.Class[datastore.Held].Records != 43 {
			t.Fatalf("%+v", st)
		}
		if _, err := s.Datastore().Get(bg, dsKey); err != nil {
			t.Fatal(err)
		}
		u := newUniverse(t)
		var puts []records.Put
		for _, r := range u.versions {
			puts = append(puts, records.Put{Place: r.Roots()[0], Record: r})
		}
		mergeAll(t, s, puts)
		if got := s.Stats().Records; got != 43 {
			t.Fatalf("%d records", got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A store of a format that is yet to come is refused and left alone.
func TestMigrate_newer(t *testing.T) {
	m := fixture(t, "testdata/format1.txt.gz")
	var b datastore.Batch
	b.Set([]byte("mformat"), []byte{datastore.Format + 1})
	applyBatch(t, m, &b)
	if _, err := datastore.OpenOn(m, smallNetwork(t)); !errors.Is(err, datastore.ErrNewer) {
		t.Fatalf("got %v, want ErrNewer", err)
	}
}

// A migration that is interrupted before each of its batches goes on where it was,
// and does everything once.
func TestMigrate_resumes(t *testing.T) {
	m := datastore.NewMemoryKV()
	done := map[byte]int{}
	left := 0
	step := func(cursor []byte, b *datastore.Batch) ([]byte, error) {
		if left--; left < 0 {
			return nil, errDisk
		}
		at := byte(0)
		if len(cursor) > 0 {
			at = cursor[0]
		}
		done[at]++
		b.Set([]byte{'x', at}, nil)
		if at == 4 {
			return nil, nil
		}
		return []byte{at + 1}, nil
	}
	for tries := 1; ; tries++ {
		left = 1
		err := datastore.Migrate(m, step)
		if err == nil {
			if tries != 5 {
				t.Fatalf("%d tries", tries)
			}
			break
		}
		if !errors.Is(err, errDisk) {
			t.Fatal(err)
		}
	}
	for at := range byte(5) {
		if done[at] != 1 {
			t.Fatalf("step %d was done %d times", at, done[at])
		}
	}
}

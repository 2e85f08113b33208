package datastore_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// The ways in which the stored value of a record can go wrong.
var damages = map[string]func(value []byte) []byte{
	"a bit of the envelope":  func(v []byte) []byte { v[len(v)-1] ^= 1; return v },
	"a bit of the digest":    func(v []byte) []byte { v[2+2*32] ^= 1; return v },
	"another list of places": func(v []byte) []byte { v[2] ^= 1; return v },
	"cut short":              func(v []byte) []byte { return v[:40] },
	"empty":                  func([]byte) []byte { return []byte{} },
	"gone":                   func([]byte) []byte { return nil },
}

// A damaged record hides no other, is put aside, and can be merged again.
func TestBucket_damagedRecord(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, m datastore.KV) {
				s := closing(t, openOn(t, unclosed(m), network(t)))
				rs := newWriter(t, network(t)).posts(10)
				puts := putsAt(levelHour, rs...)
				mergeAll(t, s, puts)
				harm(t, m, rs[4].ItemKey(), damage)

				q := records.Query{Place: puts[0].Place, Before: records.Newest, Limit: 64}
				b, err := s.Bucket(q)
				var corrupt *datastore.CorruptError
				if !errors.Is(err, datastore.ErrCorrupt) || !errors.As(err, &corrupt) || corrupt.Key != rs[4].ItemKey() || corrupt.Place != q.Place {
					t.Fatalf("got %v, want a CorruptError of %s in %s", err, rs[4].ItemKey(), q.Place)
				}
				if len(b.Records) != 9 || b.Count != 9 || b.Fingerprint.Count != 9 {
					t.Fatalf("got %s, want the other nine", bucket(b))
				}
				if b, err := s.Bucket(q); err != nil || len(b.Records) != 9 {
					t.Fatalf("again: %s, %v", bucket(b), err)
				}
				// In its other place it is met, or gone, too.
				q.Place = puts[1].Place
				if b, _ := s.Bucket(q); len(b.Records) != 9 {
					t.Fatalf("elsewhere: %s", bucket(b))
				}
				if _, err := s.Record(rs[4].ItemKey()); !errors.Is(err, datastore.ErrNotFound) {
					t.Fatalf("record: %v", err)
				}
				remend(t, s, puts[8:10])
			})
		})
	}
}

// A record that the disk does not even give is treated like any other damage,
// whoever comes upon it first, and is stored again when it comes.
func TestMerge_unreadableRecord(t *testing.T) {
	for _, first := range []string{"bucket", "record", "merge"} {
		t.Run(first, func(t *testing.T) {
			rs := newWriter(t, network(t)).posts(10)
			puts := putsAt(levelHour, rs...)
			var bad atomic.Bool
			s := closing(t, openOn(t, &datastore.Hooked{KV: datastore.NewMemoryKV(), OnGet: func(key []byte) error {
				if bad.Load() && bytes.Equal(key, datastore.RecordKey(rs[4].ItemKey())) {
					return fmt.Errorf("%w: checksum of a block", datastore.ErrCorrupt)
				}
				return nil
			}}, network(t)))
			mergeAll(t, s, puts)
			bad.Store(true)
			switch first {
			case "bucket":
				b, err := s.Bucket(records.Query{Place: puts[8].Place, Before: records.Newest, Limit: 64})
				if !errors.Is(err, datastore.ErrCorrupt) || len(b.Records) != 9 {
					t.Fatalf("got %s, %v", bucket(b), err)
				}
			case "record":
				if _, err := s.Record(rs[4].ItemKey()); !errors.Is(err, datastore.ErrCorrupt) {
					t.Fatalf("got %v", err)
				}
			}
			mergeAll(t, s, puts[8:10])
			bad.Store(false)
			remend(t, s, puts[8:10])
		})
	}
}

// remend merges a damaged record again.
func remend(t *testing.T, s *datastore.Store, puts []records.Put) {
	t.Helper()
	mergeAll(t, s, puts)
	for _, p := range puts {
		b, err := s.Bucket(records.Query{Place: p.Place, Before: records.Newest, Limit: 64})
		if err != nil || len(b.Records) != 10 {
			t.Fatalf("mended: %s, %v", bucket(b), err)
		}
	}
	for d, err := range s.Damaged() {
		t.Fatalf("still damaged: %v, %v", d, err)
	}
	if err := datastore.AuditIndexes(s); err != nil {
		t.Fatal(err)
	}
}

// What was found is kept with the places where it stood, until it is mended, and
// a restart forgets none of it.
func TestDamaged_lists(t *testing.T) {
	onEach(t, func(t *testing.T, m datastore.KV) {
		rs := newWriter(t, network(t)).posts(3)
		puts := putsAt(levelHour, rs...)
		s := openOn(t, unclosed(m), network(t))
		mergeAll(t, s, puts)
		harm(t, m, rs[1].ItemKey(), damages["a bit of the envelope"])
		if _, err := s.Record(rs[1].ItemKey()); !errors.Is(err, datastore.ErrCorrupt) {
			t.Fatalf("record: %v", err)
		}
		for range 2 {
			var list []datastore.Damage
			for d, err := range s.Damaged() {
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, d)
			}
			if len(list) != 1 || list[0].Key != rs[1].ItemKey() || !slices.Equal(list[0].Places, []records.Place{puts[2].Place, puts[3].Place}) || len(list[0].Bytes) < len(rs[1].Bytes()) {
				t.Fatalf("damaged: %+v", list)
			}
			if err := datastore.Audit(s); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = closing(t, openOn(t, unclosed(m), network(t)))
		}
		mergeAll(t, s, puts[2:3])
		if s.Stats().Damaged != 0 || s.Stats().Records != 3 {
			t.Fatalf("mended: %+v", s.Stats())
		}
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
	})
}

// A damaged record in the way of a merge is put aside, and others move up: from
// the witnesses into the bucket, from those on their way down to witness.
func TestMerge_damagedInTheWay(t *testing.T) {
	for which := range 8 {
		for name, damage := range damages {
			t.Run(fmt.Sprint(which, " ", name), func(t *testing.T) {
				n := smallNetwork(t)
				m := datastore.NewMemoryKV()
				s := closing(t, openOn(t, m, n))
				w := newWriter(t, n)
				var rs []*records.Record
				for i := range 8 {
					rs = append(rs, w.post(author(1), epoch+3_000_000-records.Millis(i)*1000, fmt.Sprint(i)))
				}
				level := levelHour - 1
				mergeAll(t, s, putsAt(level, rs...))
				if name == "another list of places" || len(rs[0].Roots()) != 1 {
					damage = damages["empty"] // these stand in one place
				}
				if name == "a bit of the digest" {
					damage = func(v []byte) []byte { v[2+32] ^= 1; return v }
				}
				harm(t, m, rs[which].ItemKey(), damage)
				if which%2 == 0 { // met by a read first, else by the merge
					_, _ = s.Bucket(records.Query{Place: putsAt(level, rs[0])[0].Place, Before: records.Newest, Limit: 9})
					if err := datastore.AuditIndexes(s); err != nil {
						t.Fatal(err)
					}
				}
				earlier := w.post(author(1), epoch+1000, "earlier than all")
				mergeAll(t, s, putsAt(level, earlier))
				mergeAll(t, s, putsAt(level, rs...))
				got, err := s.Bucket(records.Query{Place: putsAt(level, earlier)[0].Place, Before: records.Newest, Limit: 9})
				if err != nil {
					t.Fatal(err)
				}
				want := []*records.Record{rs[6], rs[7], earlier}
				if !slices.Equal(ids(got.Records), ids(want)) || got.Witnesses[len(got.Witnesses)-1].ID() != rs[5].ID() {
					t.Fatalf("got %s, want %s and witness %s", bucket(got), ids(want), ids(rs[5:6]))
				}
				if err := datastore.AuditIndexes(s); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// harm changes the stored value of a record behind the store's back.
func harm(t testing.TB, m datastore.KV, key records.ItemKey, damage func([]byte) []byte) {
	t.Helper()
	s := snapshot(t, m)
	defer datastore.CloseSnapshot(s)
	value, err := datastore.Get(s, datastore.RecordKey(key))
	if err != nil {
		t.Fatal(err)
	}
	write(t, m, func(b *datastore.Batch) {
		if v := damage(value); v != nil {
			b.Set(datastore.RecordKey(key), v)
		} else {
			b.Remove(datastore.RecordKey(key))
		}
	})
}

// A bit flipped anywhere in the files of a store never crashes it, is never served
// and never lost in silence: what is not there any more was said to be, at the latest
// when all was read, and can be merged again; and what was damaged is kept aside.
func TestOpen_flippedBits(t *testing.T) {
	mem := vfs.NewCrashableMem()
	rs := newWriter(t, network(t)).posts(400)
	puts := putsAt(levelHour, rs...)
	s := closing(t, openAt(t, "store", mem))
	for half := range slices.Chunk(puts, len(puts)/2) {
		mergeAll(t, s, half)
		s.Tidy()
	}
	mergeAll(t, s, putsAt(levelHour, newWriter(t, network(t)).edit(author(1), rs[0], "so that there is a log")))
	mem = clone(mem) // as the loss of power leaves it
	names, err := mem.List("store")
	if err != nil {
		t.Fatal(err)
	}
	flips := 6
	if testing.Short() {
		flips = 2
	}
	for _, name := range names {
		for i := range flips {
			t.Run(fmt.Sprint(name, " ", i), func(t *testing.T) {
				damaged := clone(mem)
				flip(t, damaged, "store/"+name, func(size int64) int64 { return (size - 1) * int64(i) / int64(flips) })
				readDamaged(t, damaged, rs, puts)
			})
		}
	}
}

// clone is a copy of a file system.
func clone(mem *vfs.MemFS) *vfs.MemFS {
	return mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
}

// flip flips a bit of a file, if there is any.
func flip(t *testing.T, files vfs.FS, name string, where func(size int64) int64) {
	t.Helper()
	f, err := files.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return
	}
	b, at := make([]byte, 1), where(info.Size())
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (at % 8)
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// Files that are gone or cut short are damage too, each kind of them.
func TestOpen_missingFiles(t *testing.T) {
	mem := vfs.NewCrashableMem()
	rs := newWriter(t, network(t)).posts(100)
	puts := putsAt(levelHour, rs...)
	s := closing(t, openAt(t, "store", mem))
	mergeAll(t, s, puts)
	s.Tidy()
	mem = clone(mem)
	names, err := mem.List("store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		for how, harm := range map[string]func(vfs.FS, string) error{
			"gone": vfs.FS.Remove,
			"empty": func(files vfs.FS, name string) error {
				f, err := files.Create(name, vfs.WriteCategoryUnspecified)
				if err == nil {
					err = f.Close()
				}
				return err
			},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				damaged := clone(mem)
				if err := harm(damaged, "store/"+name); err != nil {
					t.Fatal(err)
				}
				readDamaged(t, damaged, rs, puts)
			})
		}
	}
}

// readDamaged opens a damaged store and reads all: what is not there is said to be.
func readDamaged(t *testing.T, files vfs.FS, rs []*records.Record, puts []records.Put) {
	t.Helper()
	s := closing(t, openAt(t, "store", files))
	_ = s.Verify() // reads all, so that damage is noticed
	if err := s.Datastore().Put(bg, dsKey, []byte("and mended")); err != nil && !errors.Is(err, datastore.ErrBroken) {
		t.Fatal(err)
	}
	if err := s.Verify(); err != nil {
		t.Fatal(err)
	}
	var lost []*records.Record
	for _, r := range rs {
		switch got, err := s.Record(r.ItemKey()); {
		case errors.Is(err, datastore.ErrNotFound):
			lost = append(lost, r)
		case err != nil || !bytes.Equal(got.Bytes(), r.Bytes()) && got.Rev() <= r.Rev():
			t.Fatalf("got %v, %v", got, err)
		}
	}
	names, err := files.List("store")
	if err != nil {
		t.Fatal(err)
	}
	aside := slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, "damaged-") })
	select {
	case h := <-s.Harmed():
		if !h.Everything || len(aside) != 1 {
			t.Fatalf("harm %+v, put aside %q", h, aside)
		}
	default:
		if len(lost) > 0 || len(aside) > 0 {
			t.Fatalf("%d records lost, and %q put aside, in silence", len(lost), aside)
		}
	}
	mergeAll(t, s, puts)
	if err := s.Verify(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d to be merged again, %d put aside", len(lost), len(rs), len(aside))
}

package datastore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// The figures that matter are ratios to the bare cost, measured in the same run:
// a Pebble batch of the same number of keys with values of the same sizes.

// benchPosts are n posts of some 700 bytes by so many authors that no bucket is
// ever full.
func benchPosts(b *testing.B, n int) []records.Put {
	w := newWriter(b, network(b))
	keys := make([]records.Key, 1024)
	for i := range keys {
		keys[i] = author(i)
	}
	text := strings.Repeat("what people say is not random bytes; ", 13)
	puts := make([]records.Put, n)
	for i := range puts {
		month := records.Millis(i/len(keys)/32) * 28 * 86_400_000
		r := w.post(keys[i%len(keys)], epoch+month+records.Millis(i), fmt.Sprint(text, i))
		puts[i] = records.Put{Place: records.UserPlace(r.Author()).At(records.LevelMonth, r), Record: r}
	}
	return puts
}

// A way is one of several ways of doing the same to a range of puts.
type way struct {
	name string
	do   func(from, to int)
}

// inTurns measures ways of doing the same, in turns so that what else the
// machine does falls on all, and reports the first beside each of the others.
func inTurns(b *testing.B, turn int, ways ...way) {
	took := make([]time.Duration, len(ways))
	for from := 0; from < b.N; from += turn {
		for i, w := range ways {
			start := time.Now()
			w.do(from, min(from+turn, b.N))
			took[i] += time.Since(start)
		}
	}
	b.ReportMetric(0, "ns/op") // what follows says more
	for i, w := range ways {
		b.ReportMetric(float64(took[i].Nanoseconds())/float64(b.N), w.name+"-ns/record")
		if i > 0 {
			b.ReportMetric(float64(took[0])/float64(took[i]), "x-"+w.name)
		}
	}
}

func openBare(b *testing.B) *pebble.DB {
	b.Helper()
	db, err := pebble.Open(b.TempDir(), datastore.BareOptions())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// bareBatch writes what the store writes for these puts: four keys each.
func bareBatch(b *testing.B, db *pebble.DB, puts []records.Put) {
	batch := db.NewBatch()
	set := func(prefix string, key, value int) {
		k := append([]byte(prefix), make([]byte, key)...)
		for i := len(prefix); i < len(k); i++ {
			k[i] = byte(rand.Uint32())
		}
		if err := batch.Set(k, junk[:value], nil); err != nil {
			b.Fatal(err)
		}
	}
	for _, p := range puts {
		set("r", 32, 2+32+32+len(p.Record.Bytes()))
		set("p", 70, 33)
		set("p", 32, 42+len(p.Place.Bytes()))
		set("f", 2, 40)
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		b.Fatal(err)
	}
}

var junk = func() []byte {
	b := make([]byte, 16<<10)
	for i := range b {
		b[i] = byte(i * 7 / 3)
	}
	return b
}()

// One caller, one record at a time: each waits for its own sync.
func BenchmarkMerge_one(b *testing.B) {
	s, db := openIn(b, b.TempDir()), openBare(b)
	puts := benchPosts(b, b.N)
	b.ResetTimer()
	inTurns(b, 64, way{"merge", func(from, to int) {
		for i := from; i < to; i++ {
			mustMerge(b, s, puts[i:i+1])
		}
	}}, way{"bare", func(from, to int) {
		for i := from; i < to; i++ {
			bareBatch(b, db, puts[i:i+1])
		}
	}})
}

// 64 callers with one record at a time, beside 64 callers of Pebble, which groups
// their syncs too, and beside one caller who has 64 records at hand for each batch.
func BenchmarkMerge_groups(b *testing.B) {
	dir := b.TempDir()
	s, db, db64 := openIn(b, dir), openBare(b), openBare(b)
	puts := benchPosts(b, b.N)
	b.ResetTimer()
	inTurns(b, 2048, way{"merge", func(from, to int) {
		together(64, from, to, func(i int) { mustMerge(b, s, puts[i:i+1]) })
	}}, way{"bare", func(from, to int) {
		together(64, from, to, func(i int) { bareBatch(b, db, puts[i:i+1]) })
	}}, way{"batch64", func(from, to int) {
		for i := from; i < to; i += 64 {
			bareBatch(b, db64, puts[i:min(i+64, to)])
		}
	}})
	reportSizes(b, s, dir, puts)
}

// reportSizes tells what a record takes: its own bytes, keys and values of the
// store in all, and files.
func reportSizes(b *testing.B, s *datastore.Store, dir string, puts []records.Put) {
	own, files := 0, int64(0)
	for _, p := range puts {
		own += len(p.Record.Bytes())
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range list {
		if info, err := f.Info(); err == nil {
			files += info.Size()
		}
	}
	b.ReportMetric(float64(own)/float64(len(puts)), "own-B/record")
	b.ReportMetric(float64(s.Stats().Bytes)/float64(s.Stats().Records), "stored-B/record")
	b.ReportMetric(float64(files)/float64(len(puts)), "file-B/record")
}

// A bucket of 64 posts beside what it stands on, a scan of 64 entries and the
// look-up and restoring of each record; and beside a bare scan of 64 records that
// lie together, unchecked and unparsed. The difference is the price of storing a
// record once for all its places and of never trusting the disk.
func BenchmarkBucket_64(b *testing.B) {
	s, db := openIn(b, b.TempDir()), openBare(b)
	places, scans, keys := fullBuckets(b, s, db, 128)
	at := 0
	b.ResetTimer()
	inTurns(b, 16, way{"bucket", func(from, to int) {
		for i := from; i < to; i++ {
			got, err := s.Bucket(records.Query{Place: places[i*31%len(places)], Before: records.Newest, Limit: 64})
			if err != nil || len(got.Records) != 64 {
				b.Fatal(len(got.Records), err)
			}
		}
	}}, way{"scan", func(from, to int) {
		for i := from; i < to; i++ {
			at += bareScan(b, db, scans[i*31%len(scans)])
		}
	}}, way{"parts", func(from, to int) {
		for i := from; i < to; i++ {
			at += bareScan(b, db, append([]byte("p"), scans[i*31%len(scans)]...))
			at += bareRestore(b, db, keys[i*31%len(keys)], s.Network())
		}
	}}, way{"fingerprint", func(from, to int) {
		for i := from; i < to; i++ {
			if _, err := s.Bucket(records.Query{Place: places[i*31%len(places)], Before: records.Newest}); err != nil {
				b.Fatal(err)
			}
		}
	}})
}

// fullBuckets fills places of the store with 64 posts each, and a bare database
// with the same bytes in two ways: under keys that lie together, and under the
// store's own.
func fullBuckets(b *testing.B, s *datastore.Store, db *pebble.DB, n int) (places []records.Place, scans [][]byte, keys [][][]byte) {
	w := newWriter(b, network(b))
	for i := range n {
		k := author(i)
		var puts []records.Put
		var own [][]byte
		batch := db.NewBatch()
		scan := fmt.Appendf(nil, "s%06d", i)
		for j := range 64 {
			r := w.post(k, epoch+records.Millis(j), strings.Repeat("what people say is not random bytes; ", 13)+fmt.Sprint(i, j))
			puts = append(puts, records.Put{Place: records.UserPlace(r.Author()).At(records.LevelMonth, r), Record: r})
			key := r.ItemKey()
			own = append(own, append([]byte("r"), key[:]...))
			_ = batch.Set(fmt.Appendf(scan, "%02d", j), r.Bytes(), nil)
			digest := r.Digest()
			_ = batch.Set(own[j], append(digest[:], r.Bytes()...), nil)
			_ = batch.Set(fmt.Appendf([]byte("p"), "%s%02d%032d", scan, j, 0), junk[:33], nil)
		}
		if err := batch.Commit(pebble.NoSync); err != nil {
			b.Fatal(err)
		}
		mustMerge(b, s, puts)
		places, scans, keys = append(places, puts[0].Place), append(scans, scan), append(keys, own)
	}
	return places, scans, keys
}

func bareScan(b *testing.B, db *pebble.DB, prefix []byte) int {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: append(prefix[:len(prefix):len(prefix)], 0xff)})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for it.First(); it.Valid(); it.Next() {
		n += len(append([]byte{}, it.Value()...))
	}
	if err := it.Close(); err != nil {
		b.Fatal(err)
	}
	return n
}

func bareRestore(b *testing.B, db *pebble.DB, keys [][]byte, net records.Network) int {
	n := 0
	for _, k := range keys {
		v, closer, err := db.Get(k)
		if err != nil {
			b.Fatal(err)
		}
		r, err := records.Restore(append([]byte{}, v[32:]...), records.Digest(v), net)
		if err != nil {
			b.Fatal(err)
		}
		n += len(r.Bytes())
		if err := closer.Close(); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

func mustMerge(b *testing.B, s *datastore.Store, puts []records.Put) {
	if _, err := s.Merge(b.Context(), puts); err != nil {
		b.Error(err)
	}
}

// together does every step of a range on so many goroutines.
func together(callers, from, to int, step func(i int)) {
	next := make(chan int, callers)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := range next {
				step(i)
			}
		})
	}
	for i := from; i < to; i++ {
		next <- i
	}
	close(next)
	wg.Wait()
}

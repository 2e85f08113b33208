package node_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

const benchPosts = 5_000

// benchStore is a store on disk, and posts of twenty people over a year, each with a
// hashtag, at rest at six places.
func benchStore(b *testing.B, network records.Network) (*datastore.Store, *node.Store) {
	b.Helper()
	db, err := datastore.Open(datastore.Config{Dir: b.TempDir(), Network: network})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db, node.StoreOf(db, records.User{}, func() time.Time { return archiveNow })
}

func fillBench(b *testing.B, db *datastore.Store) {
	b.Helper()
	created := records.MillisOf(archiveNow.AddDate(-1, 0, 0))
	var puts []records.Put
	for i := range benchPosts {
		var salt [8]byte
		binary.BigEndian.PutUint64(salt[:], uint64(i))
		head := records.PostHead{Tags: []records.Tag{records.Tag([]string{"birds", "go", "rain", "sun"}[i%4])}}
		d, err := records.NewPost(created+records.Millis(i)*1_500_000, salt, head, records.PostBody{Text: string(bytes.Repeat([]byte("post "), 25))})
		if err != nil {
			b.Fatal(err)
		}
		r, err := records.Seal(b.Context(), db.Network(), records.AuthorSigner(records.KeyFromSeed([32]byte{byte(i % 20)})), d)
		if err != nil {
			b.Fatal(err)
		}
		for _, root := range r.Roots() {
			for _, level := range []int{0, 1, records.LevelMonth} {
				puts = append(puts, records.Put{Place: root.At(level, r), Record: r})
			}
			puts = append(puts, records.Put{Place: root.At(records.LevelMonth+2, r), Record: r})
		}
	}
	for part := range len(puts) / 1000 {
		if _, err := db.Merge(b.Context(), puts[part*1000:(part+1)*1000]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExport(b *testing.B) {
	network, err := records.TestNetwork("bench")
	if err != nil {
		b.Fatal(err)
	}
	db, store := benchStore(b, network)
	fillBench(b, db)
	for b.Loop() {
		totals, err := store.Export(b.Context(), io.Discard, node.Selection{}, nil)
		if err != nil || totals.Entries != benchPosts {
			b.Fatalf("%+v, %v", totals, err)
		}
	}
	b.ReportMetric(benchPosts*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkImport imports into an empty store, and the same again.
func BenchmarkImport(b *testing.B) {
	network, err := records.TestNetwork("bench")
	if err != nil {
		b.Fatal(err)
	}
	db, store := benchStore(b, network)
	fillBench(b, db)
	var whole bytes.Buffer
	if _, err := store.Export(b.Context(), &whole, node.Selection{}, nil); err != nil {
		b.Fatal(err)
	}
	run := func(b *testing.B, to *node.Store) {
		b.Helper()
		if _, err := to.Import(b.Context(), bytes.NewReader(whole.Bytes()), nil); err != nil {
			b.Fatal(err)
		}
	}
	rate := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(benchPosts*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		b.ReportMetric(float64(whole.Len())*float64(b.N)/b.Elapsed().Seconds()/1e6, "MB/s")
	}
	b.Run("new", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			_, to := benchStore(b, network)
			b.StartTimer()
			run(b, to)
		}
		rate(b)
	})
	b.Run("again", func(b *testing.B) {
		for range b.N {
			run(b, store)
		}
		rate(b)
	})
}

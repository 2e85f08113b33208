package datastore_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
)

// Any sequence of writes, batches and queries finds in the store's namespace what
// it finds in the module's own map.
func TestDatastore_likeTheMap(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		ours := s.Datastore()
		model := ds.NewMapDatastore()
		key := rapid.Custom(func(t *rapid.T) ds.Key { return ds.NewKey(rapid.StringMatching(`(/[ab]{1,2}){1,3}`).Draw(t, "key")) })
		rapid.Check(t, func(t *rapid.T) {
			both := []ds.Batching{ours, model}
			switch rapid.IntRange(0, 3).Draw(t, "write") {
			case 0:
				k := key.Draw(t, "key")
				for _, d := range both {
					must(t, d.Delete(bg, k))
				}
			case 1:
				writeBatches(t, both, key)
			default:
				k, v := key.Draw(t, "key"), []byte(rapid.String().Draw(t, "value"))
				for _, d := range both {
					must(t, d.Put(bg, k, v))
				}
			}
			k := key.Draw(t, "looked for")
			want, wantErr := model.Get(bg, k)
			got, err := ours.Get(bg, k)
			if !bytes.Equal(got, want) || !errors.Is(err, wantErr) {
				t.Fatalf("get %s: %q, %v; want %q, %v", k, got, err, want, wantErr)
			}
			has, err := ours.Has(bg, k)
			size, sizeErr := ours.GetSize(bg, k)
			if has != (wantErr == nil) || err != nil || (sizeErr == nil) != has || has && size != len(want) {
				t.Fatalf("%s: has %t, %v; size %d, %v", k, has, err, size, sizeErr)
			}
			q := drawQuery(t)
			if g, w := ask(t, ours, q), ask(t, model, q); !slices.EqualFunc(g, w, sameEntry(q)) {
				t.Fatalf("%s:\n got %v\nwant %v", q, g, w)
			}
		})
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
	})
}

func writeBatches(t *rapid.T, both []ds.Batching, key *rapid.Generator[ds.Key]) {
	type change struct {
		key   ds.Key
		value []byte
	}
	changes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) change {
		c := change{key: key.Draw(t, "key")}
		if rapid.Bool().Draw(t, "put") {
			c.value = []byte(rapid.String().Draw(t, "value"))
		}
		return c
	}), 0, 6).Draw(t, "changes")
	for _, d := range both {
		b, err := d.Batch(bg)
		must(t, err)
		for _, c := range changes {
			if c.value != nil {
				must(t, b.Put(bg, c.key, c.value))
			} else {
				must(t, b.Delete(bg, c.key))
			}
		}
		must(t, b.Commit(bg))
		must(t, d.Sync(bg, ds.NewKey("/")))
	}
}

func drawQuery(t *rapid.T) query.Query {
	q := query.Query{
		Prefix:   rapid.SampledFrom([]string{"", "/", "/a", "a", "/a/", "/a/b", "/./a/../a", "/ab/b/a"}).Draw(t, "prefix"),
		KeysOnly: rapid.Bool().Draw(t, "keys only"),
	}
	// Without an order the map has none: every query here has a total one.
	q.Orders = rapid.SampledFrom([][]query.Order{
		{query.OrderByKey{}},
		{&query.OrderByKey{}},
		{query.OrderByKeyDescending{}},
		{&query.OrderByKeyDescending{}},
		{query.OrderByFunction(func(a, b query.Entry) int { return len(a.Key) - len(b.Key) }), query.OrderByKey{}},
	}).Draw(t, "orders")
	q.Filters = rapid.SampledFrom([][]query.Filter{
		nil,
		{query.FilterKeyPrefix{Prefix: "/b"}},
		{query.FilterKeyCompare{Op: query.GreaterThan, Key: "/aa"}},
	}).Draw(t, "filters")
	q.Limit = rapid.IntRange(0, 4).Draw(t, "limit")
	q.Offset = rapid.IntRange(0, 3).Draw(t, "offset")
	return q
}

func ask(t *rapid.T, d ds.Datastore, q query.Query) []query.Entry {
	results, err := d.Query(bg, q)
	must(t, err)
	found, err := results.Rest()
	must(t, err)
	must(t, results.Close())
	return found
}

func sameEntry(q query.Query) func(a, b query.Entry) bool {
	return func(a, b query.Entry) bool {
		return a.Key == b.Key && (q.KeysOnly || bytes.Equal(a.Value, b.Value) && a.Size == b.Size)
	}
}

func must(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// What is read back is the caller's, and what was given stays the caller's.
func TestDatastore_copies(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		d, value := s.Datastore(), []byte("value")
		must(t, d.Put(bg, dsKey, value))
		value[0] = 'x'
		got, err := d.Get(bg, dsKey)
		must(t, err)
		got[0] = 'y'
		if got, err = d.Get(bg, dsKey); err != nil || string(got) != "value" {
			t.Fatalf("got %q, %v", got, err)
		}
	})
}

// A query that is cancelled, or left in the middle, ends and holds nothing.
func TestDatastore_queryEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		d := s.Datastore()
		b, err := d.Batch(bg)
		must(t, err)
		for i := range 600 {
			must(t, b.Put(bg, dsKey.ChildString(string(rune('a'+i%26))).ChildString(string(rune(0x4e00+i))), []byte{1}))
		}
		must(t, b.Commit(bg))
		ctx, cancel := context.WithCancel(bg)
		results, err := d.Query(ctx, query.Query{})
		must(t, err)
		if r, ok := results.NextSync(); !ok || r.Error != nil {
			t.Fatalf("first: %v", r)
		}
		cancel()
		if r, ok := results.NextSync(); !ok || !errors.Is(r.Error, context.Canceled) {
			t.Fatalf("after cancel: %v, %t", r, ok)
		}
		must(t, results.Close())
		for range 3 { // left in the middle, by channel too
			results, err := d.Query(bg, query.Query{})
			must(t, err)
			<-results.Next()
			must(t, results.Close())
		}
		must(t, d.Close())
		if _, err := d.Get(bg, dsKey); !errors.Is(err, ds.ErrNotFound) {
			t.Fatalf("the store closed with its namespace: %v", err)
		}
	})
}

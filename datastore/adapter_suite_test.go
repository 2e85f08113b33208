package datastore_test

import (
	"reflect"
	"runtime"
	"strings"
	"testing"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	dstest "github.com/ipfs/go-datastore/test"

	"github.com/starling-social/starling/datastore"
)

// The namespace passes the suite of go-datastore itself: in memory all of it,
// on disk all but its thousands of queries, which are the same code.
func TestDatastore_suite(t *testing.T) {
	dstest.ElemCount = 20 // the least that the suite is written for
	onBoth(t, func(t *testing.T, s *datastore.Store) {
		for _, subtest := range dstest.BasicSubtests {
			name := runtime.FuncForPC(reflect.ValueOf(subtest).Pointer()).Name()
			if strings.HasSuffix(name, "SubtestCombinations") && strings.Contains(t.Name(), "disk") {
				continue
			}
			t.Run(name, func(t *testing.T) { subtest(t, s.Datastore()) })
		}
		for _, subtest := range dstest.BatchSubtests {
			clearState(t, s.Datastore())
			subtest(t, s.Datastore())
		}
	})
}

func clearState(t *testing.T, d ds.Datastore) {
	t.Helper()
	for e, err := range ds.QueryIter(t.Context(), d, query.Query{KeysOnly: true}) {
		must(t, err)
		must(t, d.Delete(t.Context(), ds.RawKey(e.Key)))
	}
}

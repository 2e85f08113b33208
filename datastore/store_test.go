package datastore_test

import (
	"bytes"
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stores are the two kinds of store, which must behave alike.
var stores = map[string]func(testing.TB) *datastore.Store{
	"memory": func(t testing.TB) *datastore.Store { return closing(t, datastore.OpenMemory(network(t))) },
	"disk":   func(t testing.TB) *datastore.Store { return openIn(t, t.TempDir()) },
}

func openIn(t testing.TB, dir string) *datastore.Store {
	t.Helper()
	s, err := datastore.Open(datastore.Config{Dir: dir, Network: network(t)})
	if err != nil {
		t.Fatal(err)
	}
	return closing(t, s)
}

func closing(t testing.TB, s *datastore.Store) *datastore.Store {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func network(t testing.TB) records.Network {
	t.Helper()
	n, err := records.TestNetwork("datastore")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// bg is for calls that nothing ends.
var bg = context.Background()

var lastCoordinate = records.Coordinate(bytes.Repeat([]byte{0xff}, 32))

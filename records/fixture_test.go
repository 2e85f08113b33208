package records_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

// noon is the present of most tests: 2026-11-21 12:00 UTC.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// testNet is a network without work.
var testNet = mustTestNetwork("test")

func mustTestNetwork(name string) records.Network {
	n, err := records.TestNetwork(name)
	if err != nil {
		panic(err)
	}
	return n
}

// small is a network whose buckets hold n records, so that few records make a deep tree.
func small(t testing.TB, n int) records.Network {
	t.Helper()
	net, err := records.NewNetwork("small", records.Params{Neighbourhood: 4, Capacity: n})
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// person is the key of the i-th person of a test.
func person(i int) records.Key {
	var seed [32]byte
	copy(seed[:], "starling test person")
	binary.BigEndian.PutUint64(seed[24:], uint64(i))
	return records.KeyFromSeed(seed)
}

func salt(i int) (s [8]byte) {
	binary.BigEndian.PutUint64(s[:], uint64(i))
	return s
}

// draftPost is the first version of the i-th post of a test.
func draftPost(t testing.TB, i int, created records.Millis, head records.PostHead) records.Draft {
	t.Helper()
	d, err := records.NewPost(created, salt(i), head, records.PostBody{Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// forge is the record of a draft, unsigned.
func forge(t testing.TB, n records.Network, author records.User, d records.Draft) *records.Record {
	t.Helper()
	r, err := records.Forge(n, author, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// seal is the record of a draft, signed by its author.
func seal(t testing.TB, n records.Network, author records.Key, d records.Draft) *records.Record {
	t.Helper()
	r, err := records.Seal(t.Context(), n, records.AuthorSigner(author), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

package datastore_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/reconcile"
)

// Of a store of some 65,000 entries: the fingerprint of a range along prefixes
// whose sums are kept and of one anywhere, a list of thirty elements, and, for
// comparison, adding up all entries one by one.
func BenchmarkHoldings(b *testing.B) {
	s := openIn(b, b.TempDir())
	mustMerge(b, s, benchPosts(b, 1<<16))
	r := rand.New(rand.NewPCG(1, 2))
	bound := func(size int) reconcile.Bound {
		var at records.Coordinate
		binary.BigEndian.PutUint64(at[:], r.Uint64()>>(64-8*size)<<(64-8*size))
		return reconcile.BoundOf(reconcile.Element{At: at})
	}
	fingerprint := func(size int) error {
		from, to := bound(size), bound(size)
		_, err := s.Holdings().Fingerprint(min(from, to), max(from, to))
		return err
	}
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"prefixes", func() error { return fingerprint(2) }},
		{"anywhere", func() error { return fingerprint(8) }},
		{"list30", func() error { _, err := s.Holdings().List(bound(8), reconcile.End, 30); return err }},
		{"entries", func() error {
			var sum records.Fingerprint
			for e, err := range s.Entries(records.Coordinate{}, last()) {
				if err != nil {
					return err
				}
				sum = sum.Plus(records.Element(e.Coordinate, e.Key, e.ID))
			}
			return nil
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if err := c.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

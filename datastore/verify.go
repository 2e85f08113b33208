package datastore

import (
	"errors"
	"fmt"
	"maps"

	"github.com/starling-social/starling/records"
)

// Verify reads everything and works out anew all that the store keeps up to date:
// every record against its digest, that records and entries name each other, roles,
// fingerprints on disk and in memory, statistics. It returns the first thing that is
// wrong. The store is read as it is at one moment; it takes about 10 µs a record and
// 200 bytes of memory.
func (s *Store) Verify() error {
	a, err := newAudit(s)
	if err != nil {
		return fmt.Errorf("verify store: %w", err)
	}
	if got := s.Stats(); got != a.stats {
		return fmt.Errorf("verify store: statistics %+v, want %+v", got, a.stats)
	}
	return nil
}

func newAudit(s *Store) (*audit, error) {
	a := audit{
		network:  s.network,
		standing: map[records.ItemKey]standings{},
		sums:     map[uint16]records.Fingerprint{},
		stored:   map[uint16]records.Fingerprint{},
		listed:   map[string]bool{},
	}
	err := s.read(func(v snapshot) error {
		var wrong error
		err := v.scan(everything, func(k, value []byte) bool {
			wrong = a.visit(k, value)
			return wrong == nil
		})
		return errors.Join(err, wrong)
	})
	if err == nil {
		err = a.compare()
	}
	if err == nil {
		err = a.compareTree(s.sums)
	}
	return &a, err
}

// An audit goes through all keys in their order: what is displaced, sums, the
// store's and the node's own, places with their entries, what was put aside, records.
type audit struct {
	network  records.Network
	at       records.Coordinate
	head     head
	begun    bool // at and head are those of a place
	entries  []entry
	standing map[records.ItemKey]standings
	sums     map[uint16]records.Fingerprint // by the entries
	stored   map[uint16]records.Fingerprint // as on disk
	listed   map[string]bool                // displaced by their own keys, and not met as entries yet
	stats    Stats
}

// standings are where a thing stands, by the entries.
type standings struct {
	count int
	sum   records.Coordinate // of all of them, by exclusive or
	id    records.ID
	class Class // the highest
}

func (a *audit) visit(k, v []byte) error {
	size := int64(len(k) + len(v))
	switch k[0] {
	case sectionRecord:
		if err := a.finishPlace(); err != nil {
			return err
		}
		return a.record(k, v)
	case sectionPlace:
		return a.place(k, v)
	case sectionSum:
		prefix, sum, err := parseSum(k, v)
		a.stored[prefix] = sum
		a.stats.Bytes += size
		return err
	case sectionDisplaced:
		a.listed[string(k)] = true // its size is counted with its entry
	case sectionDamaged:
		a.stats.Damaged++
		a.stats.Bytes += size
	case sectionNode:
		a.stats.Bytes += size
	case sectionMeta:
	default:
		return fmt.Errorf("unknown section %q", k[0])
	}
	return nil
}

func (a *audit) record(k, v []byte) error {
	st, err := parseStored(v)
	if err != nil {
		return err
	}
	key := records.ItemKey(k[1:])
	r, err := restore(st, key, a.network)
	if err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	got := standings{count: len(st.at), id: r.ID(), class: st.class}
	for _, at := range st.at {
		got.sum = xor(got.sum, at)
	}
	want := a.standing[key]
	if st.class == Own {
		want.class = Own // the owner's, wherever it stands
	}
	if got != want || got.count == 0 {
		return fmt.Errorf("record %s is version %s, %s, in %d places; entries say %s, %s, %d", key, got.id, got.class, got.count, want.id, want.class, want.count)
	}
	delete(a.standing, key)
	a.stats.addRecord(st.class, 1)
	a.stats.add(st.class, int64(len(k)+len(v)))
	return nil
}

func xor(a, b records.Coordinate) records.Coordinate {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}

func (a *audit) place(k, v []byte) (err error) {
	if len(k) == headKeySize {
		if err := a.finishPlace(); err != nil {
			return err
		}
		a.at, a.entries, a.begun = records.Coordinate(k[1:]), a.entries[:0], true
		a.head, err = parseHead(v)
		if err == nil && a.head.place.Coordinate() != a.at {
			err = fmt.Errorf("%s is filed under %s", a.head.place, a.at)
		}
		a.stats.Places++
		a.stats.add(a.head.class, int64(len(k)+len(v)))
		return err
	}
	at, pos, err := parseEntryKey(k)
	if err != nil {
		return err
	}
	if !a.begun || at != a.at {
		return fmt.Errorf("entry of %s without a head", at)
	}
	e, err := parseEntry(pos, v)
	if err != nil {
		return err
	}
	a.entries = append(a.entries, e)
	a.stats.add(a.head.class, int64(len(k)+len(v)))
	if e.role&displaced != 0 {
		key := displacedKey(at, pos)
		if !a.listed[string(key)] {
			return fmt.Errorf("%s: an entry is displaced and not listed so", a.head.place)
		}
		delete(a.listed, string(key))
		a.stats.Displaced++
		a.stats.add(a.head.class, int64(len(key)))
	}
	return a.stand(e)
}

// stand notes where the thing of an entry stands.
func (a *audit) stand(e entry) error {
	was, known := a.standing[e.pos.Key]
	if known && was.id != e.id {
		return fmt.Errorf("%s: entry of version %s of %s, elsewhere of %s", a.head.place, e.id, e.pos.Key, was.id)
	}
	a.standing[e.pos.Key] = standings{was.count + 1, xor(was.sum, a.at), e.id, max(was.class, a.head.class)}
	return nil
}

// finishPlace checks the place whose entries have all been visited.
func (a *audit) finishPlace() error {
	if !a.begun {
		return nil
	}
	a.begun = false
	capacity := a.network.Capacity(a.head.place)
	if want := min(capacity, len(a.entries)); a.head.bucket != want {
		return fmt.Errorf("%s: %d in the bucket, want %d of %d", a.head.place, a.head.bucket, want, len(a.entries))
	}
	var sum records.Fingerprint
	witnessed := map[records.Coordinate]bool{}
	for i, e := range a.entries {
		if (e.role == 0) != (i < a.head.bucket) {
			return fmt.Errorf("%s: entry %d has role %d", a.head.place, i, e.role)
		}
		if first := !witnessed[e.child]; e.role != 0 && first != (e.role&witness != 0) {
			return fmt.Errorf("%s: entry %d is the first of its child: %t, a witness: %t", a.head.place, i, first, !first)
		} else if e.role != 0 {
			witnessed[e.child] = true
		}
		if e.counts() {
			a.stats.Entries++
			sum = sum.Plus(records.Element(a.at, e.pos.Key, e.id))
		}
	}
	if sum != a.head.sum {
		return fmt.Errorf("%s: fingerprint of %d entries, want %d", a.head.place, a.head.sum.Count, sum.Count)
	}
	a.sums[sumPrefix(a.at)] = a.sums[sumPrefix(a.at)].Plus(sum)
	return nil
}

func (a *audit) compare() error {
	if err := a.finishPlace(); err != nil {
		return err
	}
	maps.DeleteFunc(a.sums, func(_ uint16, sum records.Fingerprint) bool { return sum.Count == 0 })
	switch {
	case !maps.Equal(a.sums, a.stored):
		return fmt.Errorf("fingerprints of %d prefixes do not match the %d on disk", len(a.sums), len(a.stored))
	case len(a.listed) > 0:
		return fmt.Errorf("%d entries are listed as displaced and are not", len(a.listed))
	case len(a.standing) > 0:
		return fmt.Errorf("%d things have entries and no record", len(a.standing))
	}
	return nil
}

// compareTree checks the sums in memory at every level.
func (a *audit) compareTree(tree *sums) error {
	for bits := range sumBits + 1 {
		want := map[uint16]records.Fingerprint{}
		for prefix, sum := range a.sums {
			short := prefix &^ (1<<(sumBits-bits) - 1)
			want[short] = want[short].Plus(sum)
		}
		for prefix, sum := range want {
			if got := tree.under(prefix, bits); got != sum {
				return fmt.Errorf("fingerprint of %d bits of %04x counts %d, want %d", bits, prefix, got.Count, sum.Count)
			}
		}
	}
	return nil
}

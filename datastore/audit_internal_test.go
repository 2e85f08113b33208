package datastore

import (
	"fmt"
	"maps"
	"slices"

	"github.com/starling-social/starling/records"
)

// Audit works out everything that the store keeps up to date from the records
// and entries themselves, and compares.
func Audit(s *Store) error {
	a, err := newAudit(s)
	if err != nil {
		return err
	}
	if got := s.Stats(); got != a.stats {
		return fmt.Errorf("statistics %+v, want %+v", got, a.stats)
	}
	return nil
}

// AuditIndexes is Audit without the statistics, which cannot know what vanished
// behind the store's back.
func AuditIndexes(s *Store) error {
	_, err := newAudit(s)
	return err
}

func newAudit(s *Store) (*audit, error) {
	a := &audit{
		store:    s,
		standing: map[records.ItemKey][]records.Coordinate{},
		versions: map[records.ItemKey][]records.ID{},
		sums:     map[uint16]records.Fingerprint{},
		stored:   map[uint16]records.Fingerprint{},
		waiting:  map[string]bool{},
		listed:   map[string]bool{},
	}
	err := s.read(func(v snapshot) error {
		var wrong error
		err := v.scan(everything, func(k, value []byte) bool {
			wrong = a.visit(k, value)
			return wrong == nil
		})
		if wrong != nil {
			return wrong
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, a.compare()
}

type audit struct {
	store    *Store
	at       records.Coordinate
	head     head
	entries  []entry
	standing map[records.ItemKey][]records.Coordinate // by the entries
	records  []item
	versions map[records.ItemKey][]records.ID // by the entries
	sums     map[uint16]records.Fingerprint   // by the entries
	stored   map[uint16]records.Fingerprint   // as on disk
	waiting  map[string]bool                  // displaced by the entries
	listed   map[string]bool                  // displaced by their own keys
	stats    Stats
}

func (a *audit) visit(k, v []byte) error {
	if k[0] != sectionMeta {
		a.stats.Bytes += int64(len(k) + len(v))
	}
	switch k[0] {
	case sectionRecord:
		return a.record(k, v)
	case sectionPlace:
		return a.place(k, v)
	case sectionSum:
		prefix, sum, err := parseSum(k, v)
		a.stored[prefix] = sum
		return err
	case sectionDisplaced:
		a.stats.Displaced++
		a.listed[string(k)] = true
	case sectionDamaged:
		a.stats.Damaged++
	case sectionMeta, sectionNode:
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
	r, err := restore(st, records.ItemKey(k[1:]), a.store.network)
	if err != nil {
		return err
	}
	if len(st.at) == 0 {
		return fmt.Errorf("record %s stands nowhere", r.ItemKey())
	}
	a.stats.Records++
	a.records = append(a.records, item{record: r, at: st.at})
	return nil
}

func (a *audit) place(k, v []byte) (err error) {
	if len(k) == headKeySize {
		if err := a.finishPlace(); err != nil {
			return err
		}
		a.at, a.entries = records.Coordinate(k[1:]), nil
		a.head, err = parseHead(v)
		if err == nil && a.head.place.Coordinate() != a.at {
			err = fmt.Errorf("%s is filed under %s", a.head.place, a.at)
		}
		a.stats.Places++
		return err
	}
	at, pos, err := parseEntryKey(k)
	if err != nil {
		return err
	}
	if at != a.at {
		return fmt.Errorf("entry of %s without a head", at)
	}
	e, err := parseEntry(pos, v)
	a.entries = append(a.entries, e)
	a.standing[pos.Key] = append(a.standing[pos.Key], at)
	if e.role&displaced != 0 {
		a.waiting[string(displacedKey(at, pos))] = true
	}
	return err
}

// finishPlace checks the place whose entries have all been visited.
func (a *audit) finishPlace() error {
	if a.head == (head{}) {
		return nil
	}
	capacity := a.store.network.Capacity(a.head.place)
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
		a.versions[e.pos.Key] = append(a.versions[e.pos.Key], e.id)
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
	for prefix, sum := range a.sums {
		if sum.Count == 0 {
			delete(a.sums, prefix)
		}
	}
	if !maps.Equal(a.sums, a.stored) {
		return fmt.Errorf("fingerprints of %d prefixes do not match the %d on disk", len(a.sums), len(a.stored))
	}
	if !maps.Equal(a.waiting, a.listed) {
		return fmt.Errorf("%d entries are displaced, %d listed", len(a.waiting), len(a.listed))
	}
	return errorsOf(a.compareStanding, a.compareTree)
}

// compareStanding checks that records and entries name each other.
func (a *audit) compareStanding() error {
	for _, it := range a.records {
		key := it.record.ItemKey()
		got, want := sorted(it.at), sorted(a.standing[key])
		if !slices.Equal(got, want) {
			return fmt.Errorf("record %s stands in %d places, has entries in %d", key, len(got), len(want))
		}
		for _, id := range a.versions[key] {
			if id != it.record.ID() {
				return fmt.Errorf("record %s is version %s, an entry has %s", key, it.record.ID(), id)
			}
		}
		delete(a.standing, key)
	}
	if len(a.standing) > 0 {
		return fmt.Errorf("%d things have entries and no record", len(a.standing))
	}
	return nil
}

// compareTree checks the sums in memory at every level.
func (a *audit) compareTree() error {
	for bits := range sumBits + 1 {
		want := map[uint16]records.Fingerprint{}
		for prefix, sum := range a.sums {
			short := prefix &^ (1<<(sumBits-bits) - 1)
			want[short] = want[short].Plus(sum)
		}
		for prefix, sum := range want {
			if got := a.store.sums.under(prefix, bits); got != sum {
				return fmt.Errorf("fingerprint of %d bits of %04x counts %d, want %d", bits, prefix, got.Count, sum.Count)
			}
		}
	}
	return nil
}

func errorsOf(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func sorted(at []records.Coordinate) []records.Coordinate {
	return slices.SortedFunc(slices.Values(at), func(a, b records.Coordinate) int { return slices.Compare(a[:], b[:]) })
}

package datastore_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// A model is a store made of the pure states of records, one a place, with what
// a store adds to them: one version of a thing wherever it stands, and displaced
// records that stay until they have been carried down.
type model struct {
	network  records.Network
	states   map[records.Place]*records.State
	versions map[records.ItemKey]*records.Record
	standing map[records.ItemKey]map[records.Place]bool
	waiting  map[records.Place]map[records.ItemKey]bool
}

func newModel(n records.Network) *model {
	return &model{
		network:  n,
		states:   map[records.Place]*records.State{},
		versions: map[records.ItemKey]*records.Record{},
		standing: map[records.ItemKey]map[records.Place]bool{},
		waiting:  map[records.Place]map[records.ItemKey]bool{},
	}
}

func (m *model) merge(p records.Put) records.Outcome {
	key := p.Record.ItemKey()
	m.reach(p.Place, key)
	held := m.versions[key]
	if held == nil || p.Record.Wins(held) {
		for q := range m.standing[key] {
			if q != p.Place && m.holds(q, key) {
				m.states[q].Merge(p.Record)
			}
		}
		m.versions[key] = p.Record
		out := m.states[p.Place].Merge(p.Record)
		m.settle(p.Place, key, out)
		return out
	}
	stood := m.holds(p.Place, key)
	out := m.states[p.Place].Merge(held)
	m.settle(p.Place, key, out)
	if !stood && m.holds(p.Place, key) && held.ID() != p.Record.ID() {
		out.Held = held
		if out.Status == records.Stored {
			out.Status = records.Have
		}
	}
	return out
}

func (m *model) reach(p records.Place, key records.ItemKey) {
	if m.states[p] == nil {
		m.states[p] = records.NewState(m.network, p)
		m.waiting[p] = map[records.ItemKey]bool{}
	}
	if m.standing[key] == nil {
		m.standing[key] = map[records.Place]bool{}
	}
}

// settle keeps account of what a merge left where.
func (m *model) settle(p records.Place, key records.ItemKey, out records.Outcome) {
	if m.holds(p, key) {
		m.standing[key][p] = true
	}
	for _, r := range out.Displaced {
		m.waiting[p][r.ItemKey()] = true
	}
	m.forget(key)
}

func (m *model) carried(p records.Place, key records.ItemKey) {
	delete(m.waiting[p], key)
	if !m.holds(p, key) {
		delete(m.standing[key], p)
	}
	m.forget(key)
}

func (m *model) forget(key records.ItemKey) {
	if len(m.standing[key]) == 0 {
		delete(m.versions, key)
	}
}

// places are all that anything was ever put to.
func (m *model) places() []records.Place {
	return slices.SortedFunc(maps.Keys(m.states), func(p, q records.Place) int { return strings.Compare(p.String(), q.String()) })
}

func (m *model) all(p records.Place) records.Bucket {
	return m.states[p].Bucket(records.Query{Place: p, Before: records.Newest, Limit: 1000})
}

// holds tells whether a thing is part of the state of a place.
func (m *model) holds(p records.Place, key records.ItemKey) bool {
	b := m.all(p)
	return slices.ContainsFunc(append(b.Records, b.Witnesses...), func(r *records.Record) bool { return r.ItemKey() == key })
}

// bucket answers a query, with what is on its way down among the witnesses.
func (m *model) bucket(q records.Query) records.Bucket {
	b, witnesses := m.states[q.Place].Bucket(q), m.all(q.Place).Witnesses
	for key := range m.waiting[q.Place] {
		if !slices.ContainsFunc(witnesses, func(r *records.Record) bool { return r.ItemKey() == key }) {
			b.Witnesses = append(b.Witnesses, m.versions[key])
		}
	}
	slices.SortFunc(b.Witnesses, func(v, w *records.Record) int { return q.Place.Position(w).Compare(q.Place.Position(v)) })
	return b
}

func (m *model) displaced() []string {
	var list []string
	for p, keys := range m.waiting {
		for key := range keys {
			list = append(list, fmt.Sprint(p, m.versions[key].ID()))
		}
	}
	slices.Sort(list)
	return list
}

// A universe is what a property draws its puts from: versions of a few things
// that share ladders, crowded enough to fill them.
type universe struct {
	network  records.Network
	versions []*records.Record
}

func newUniverse(t testing.TB) universe {
	n := smallNetwork(t)
	w := newWriter(t, n)
	u := universe{network: n}
	add := func(k records.Key, r *records.Record, edits int) *records.Record {
		u.versions = append(u.versions, r)
		for i := range edits {
			if r = w.edit(k, r, fmt.Sprintf("version %d", i+2)); i == 1 {
				r = w.remove(k, r)
			}
			u.versions = append(u.versions, r)
		}
		return r
	}
	for i := range 36 {
		k := author(i % 3)
		// Most within minutes, some in other days, months and years.
		at := epoch + records.Millis(i)*20_000 + records.Millis(i%5/4)*86_400_000*17*records.Millis(i)
		r := add(k, w.post(k, at, fmt.Sprintf("post %d", i), []records.Tag{"a", "b"}[:1+i%2]...), i%4)
		if i == 0 {
			for j := range 24 {
				add(author(100+j), w.react(author(100+j), r, at), 0)
			}
		}
	}
	return u
}

// draw picks a version and one of its places.
func (u universe) draw(t *rapid.T) records.Put {
	r := u.versions[rapid.IntRange(0, len(u.versions)-1).Draw(t, "record")]
	root := r.Roots()[rapid.IntRange(0, len(r.Roots())-1).Draw(t, "root")]
	return records.Put{Place: root.At(rapid.IntRange(0, 11).Draw(t, "level"), r), Record: r}
}

// Any sequence of puts, edits, deletions, carried displacements, dropped places
// and restarts leaves a store as it leaves the pure states, with the same outcomes on the way;
// and what it keeps up to date is what working it out anew gives.
func TestMerge_likeTheModel(t *testing.T) {
	u := newUniverse(t)
	t.Run("memory", rapid.MakeCheck(func(t *rapid.T) {
		m := datastore.NewMemoryKV()
		likeTheModel(t, u, 30, func() *datastore.Store { return openOn(t, m, u.network) })
	}))
	t.Run("disk", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			dir := t.TempDir()
			likeTheModel(rt, u, 6, func() *datastore.Store { return openDir(rt, dir, u.network) })
		})
	})
}

func likeTheModel(t *rapid.T, u universe, calls int, open func() *datastore.Store) {
	s, m := open(), newModel(u.network)
	defer func() { _ = s.Close() }()
	for range rapid.IntRange(1, calls).Draw(t, "calls") {
		switch rapid.IntRange(0, 10).Draw(t, "call") {
		case 0:
			carryOne(t, s, m)
		case 1:
			dropSome(t, s, m)
		case 2:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open()
		default:
			mergeBoth(t, u, s, m)
		}
	}
	compareAll(t, s, m)
}

func openOn(t fataler, m datastore.KV, n records.Network) *datastore.Store {
	t.Helper()
	s, err := datastore.OpenOn(m, n)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

func openDir(t fataler, dir string, n records.Network) *datastore.Store {
	t.Helper()
	s, err := datastore.Open(datastore.Config{Dir: dir, Network: n, Recent: datastore.FewRecent})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

func mergeBoth(t *rapid.T, u universe, s *datastore.Store, m *model) {
	puts := make([]records.Put, rapid.IntRange(1, 20).Draw(t, "puts"))
	want := make([]records.Outcome, len(puts))
	for i := range puts {
		puts[i] = u.draw(t)
		want[i] = m.merge(puts[i])
	}
	got, err := s.Merge(t.Context(), puts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if g, w := outcome(got[i]), outcome(want[i]); g != w {
			t.Fatalf("put %d of %s to %s:\n got %s\nwant %s", i, puts[i].Record.ID(), puts[i].Place, g, w)
		}
	}
}

// carryOne reports one displaced record, if there is one, as carried down.
func carryOne(t *rapid.T, s *datastore.Store, m *model) {
	var list []records.Put
	for p, err := range s.Displaced() {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return
	}
	p := list[rapid.IntRange(0, len(list)-1).Draw(t, "carried")]
	if err := s.Carried(t.Context(), []records.Put{p}); err != nil {
		t.Fatal(err)
	}
	m.carried(p.Place, p.Record.ItemKey())
}

func compareAll(t *rapid.T, s *datastore.Store, m *model) {
	for _, p := range m.places() {
		q := records.Query{Place: p, Before: records.Newest, Limit: rapid.IntRange(0, 5).Draw(t, "limit"), Print: rapid.Bool().Draw(t, "print")}
		if all := m.all(p).Records; len(all) > 0 && rapid.Bool().Draw(t, "cursor") {
			q.Before = p.Position(all[rapid.IntRange(0, len(all)-1).Draw(t, "before")])
		}
		got, err := s.Bucket(q)
		if err != nil {
			t.Fatal(err)
		}
		if g, w := bucket(got), bucket(m.bucket(q)); g != w {
			t.Fatalf("bucket of %s before %v, limit %d, print %t:\n got %s\nwant %s", p, q.Before, q.Limit, q.Print, g, w)
		}
	}
	for key, r := range m.versions {
		got, err := s.Record(key)
		if err != nil || got.ID() != r.ID() {
			t.Fatalf("record %s: %v, %v; want %s", key, got, err, r.ID())
		}
	}
	var displaced []string
	for p, err := range s.Displaced() {
		if err != nil {
			t.Fatal(err)
		}
		displaced = append(displaced, fmt.Sprint(p.Place, p.Record.ID()))
	}
	slices.Sort(displaced)
	if want := m.displaced(); !slices.Equal(displaced, want) {
		t.Fatalf("displaced:\n got %v\nwant %v", displaced, want)
	}
	if got := s.Stats().Records; got != int64(len(m.versions)) {
		t.Fatalf("%d records, want %d", got, len(m.versions))
	}
	if err := datastore.Audit(s); err != nil {
		t.Fatal(err)
	}
}

// Two stores that were offered the same records, in any order and in any
// company, have the same state, fingerprints included.
func TestMerge_anyOrder(t *testing.T) {
	u := newUniverse(t)
	rapid.Check(t, func(t *rapid.T) {
		level := rapid.IntRange(0, 4).Draw(t, "level")
		var chosen []*records.Record
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(u.versions)-1), 1, 60).Draw(t, "records") {
			chosen = append(chosen, u.versions[i])
		}
		puts := append(putsAt(level, chosen...), putsAt(level+1, chosen...)...)
		a, b := datastore.OpenMemory(u.network), datastore.OpenMemory(u.network)
		defer a.Close()
		defer b.Close()
		mergeAll(t, a, puts)
		mergeAll(t, b, shuffled(t, puts))
		if ea, eb := entries(t, a), entries(t, b); !maps.Equal(ea, eb) {
			t.Fatalf("%d entries and %d, or others", len(ea), len(eb))
		}
		fa, errA := a.Fingerprint(records.Coordinate{}, 0)
		fb, errB := b.Fingerprint(records.Coordinate{}, 0)
		if errA != nil || errB != nil || fa != fb {
			t.Fatalf("fingerprints %v and %v, %v, %v", fa, fb, errA, errB)
		}
	})
}

func shuffled(t *rapid.T, puts []records.Put) []records.Put {
	order := make([]int, len(puts))
	for i := range order {
		order[i] = i
	}
	out := make([]records.Put, 0, len(puts))
	for _, i := range rapid.Permutation(order).Draw(t, "order") {
		out = append(out, puts[i])
	}
	return out
}

func mergeAll(t fataler, s *datastore.Store, puts []records.Put) {
	t.Helper()
	for chunk := range slices.Chunk(puts, 7) {
		if _, err := s.Merge(bg, chunk); err != nil {
			t.Fatalf("merge: %v", err)
		}
	}
}

func entries(t fataler, s *datastore.Store) map[datastore.Entry]bool {
	t.Helper()
	out := map[datastore.Entry]bool{}
	for e, err := range s.All() {
		if err != nil {
			t.Fatalf("entries: %v", err)
		}
		out[e] = true
	}
	return out
}

func outcome(o records.Outcome) string {
	held := "nothing"
	if o.Held != nil {
		held = o.Held.ID().String()[:8]
	}
	return fmt.Sprintf("%s, held %s, bound %v, displaced %s", o.Status, held, o.Bound, ids(o.Displaced))
}

func bucket(b records.Bucket) string {
	return fmt.Sprintf("%s: %s, witnesses %s, count %d, full %t, more %t, fingerprint %v",
		b.Place, ids(b.Records), ids(b.Witnesses), b.Count, b.Full, b.More, b.Fingerprint)
}

func ids(rs []*records.Record) []string {
	out := make([]string, 0, len(rs))
	for _, r := range rs {
		out = append(out, r.ID().String()[:8])
	}
	return out
}

package node_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
)

// archiveNow is when archives are made and read.
var archiveNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// A shelf is records of three people, edited and deleted ones among them, of a
// network whose buckets hold two.
type shelf struct {
	network records.Network
	owner   records.User
	records []*records.Record
}

func newShelf(t *testing.T) shelf {
	t.Helper()
	network, err := records.NewNetwork("shelf", records.Params{Neighbourhood: 4, Capacity: 2})
	if err != nil {
		t.Fatal(err)
	}
	s := shelf{network: network, owner: records.KeyFromSeed([32]byte{0: 1}).User()}
	seal := func(key records.Key, d records.Draft, err error) *records.Record {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		r, err := records.Seal(t.Context(), network, records.AuthorSigner(key), d)
		if err != nil {
			t.Fatal(err)
		}
		s.records = append(s.records, r)
		return r
	}
	created := records.MillisOf(archiveNow.AddDate(0, -2, 0))
	for i := range 24 {
		key := records.KeyFromSeed([32]byte{0: byte(i%3) + 1})
		head := records.PostHead{Tags: []records.Tag{"birds"}}
		if i%2 == 0 {
			head.Tags = append(head.Tags, "go")
		}
		d, err := records.NewPost(created+records.Millis(i*i*1_800_000), [8]byte{byte(i)}, head, records.PostBody{Text: "first"})
		r := seal(key, d, err)
		if i%3 == 0 {
			d, err := records.EditPost(r, r.Created()+1, records.PostBody{Text: "edited"})
			r = seal(key, d, err)
		}
		if i%4 == 0 {
			seal(key, records.Tombstone(r, r.Rev().Millis()+1), nil)
		}
	}
	return s
}

func (s shelf) store(t fataler, owner records.User) (*datastore.Store, *node.Store) {
	t.Helper()
	db := datastore.OpenMemoryWith(datastore.Config{Network: s.network, Owner: owner})
	t.Cleanup(func() { _ = db.Close() })
	return db, node.StoreOf(db, owner, func() time.Time { return archiveNow })
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// fill puts records to some of their places, for various reasons.
func (s shelf) fill(t *rapid.T, db *datastore.Store) {
	for range rapid.IntRange(0, 60).Draw(t, "puts") {
		r := rapid.SampledFrom(s.records).Draw(t, "record")
		root := rapid.SampledFrom(r.Roots()).Draw(t, "root")
		p := root.At(rapid.IntRange(0, 4).Draw(t, "level"), r)
		c := datastore.Class(rapid.IntRange(0, int(datastore.Held)).Draw(t, "class"))
		if _, err := db.MergeAs(context.Background(), c, []records.Put{{Place: p, Record: r}}); err != nil {
			t.Fatalf("merge: %v", err)
		}
	}
}

// settle carries everything down that waits for it.
func settle(t *rapid.T, db *datastore.Store) {
	for db.Stats().Displaced > 0 {
		for p, err := range db.Displaced() {
			if err == nil {
				_, err = db.MergeAs(context.Background(), datastore.Cached, []records.Put{{Place: p.Place.ChildFor(p.Record), Record: p.Record}})
			}
			if err == nil {
				err = db.Carried(context.Background(), []records.Put{p})
			}
			if err != nil {
				t.Fatalf("carry: %v", err)
			}
		}
	}
}

// holds is all that counts in a store, by record and place, with its class.
func holds(t fataler, db *datastore.Store) map[string]datastore.Class {
	t.Helper()
	out := map[string]datastore.Class{}
	for k, err := range db.Kept() {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		for _, s := range k.Stands {
			if s.Counts {
				out[k.Record.ID().String()+" "+s.Place.String()] = s.Class
			}
		}
	}
	return out
}

func export(t fataler, s *node.Store, sel node.Selection) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := s.Export(context.Background(), &b, sel, nil); err != nil {
		t.Fatalf("export: %v", err)
	}
	return b.Bytes()
}

// What is exported from one store and imported into another makes it the same: its
// entries, for whom they are kept, and its sums; and again, changes nothing.
func TestArchive_sameStore(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		from, source := shelf.store(t, shelf.owner)
		shelf.fill(t, from)
		settle(t, from)
		b := export(t, source, node.Selection{})
		to, target := shelf.store(t, shelf.owner)
		done, err := target.Import(context.Background(), bytes.NewReader(b), nil)
		if err != nil || done.New != from.Stats().Records || done.Had+done.Refused > 0 {
			t.Fatalf("imported %+v, %v, of %d records", done, err, from.Stats().Records)
		}
		wantSame(t, from, to)
		before := to.Stats()
		done, err = target.Import(context.Background(), bytes.NewReader(b), nil)
		if err != nil || done.Had != before.Records || done.New+done.Refused > 0 || to.Stats() != before {
			t.Fatalf("imported again: %+v, %v; %+v, was %+v", done, err, to.Stats(), before)
		}
	})
}

func wantSame(t fataler, from, to *datastore.Store) {
	t.Helper()
	if got, want := holds(t, to), holds(t, from); !maps.Equal(got, want) {
		t.Fatalf("entries %v, want %v", got, want)
	}
	got, err := to.Fingerprint(records.Coordinate{}, 0)
	want, err2 := from.Fingerprint(records.Coordinate{}, 0)
	if got != want || err != nil || err2 != nil {
		t.Fatalf("fingerprint %v, want %v; %v, %v", got, want, err, err2)
	}
	for c := range datastore.Classes {
		if got, want := to.Stats().Class[c].Records, from.Stats().Class[c].Records; got != want {
			t.Fatalf("%d records are %s, want %d", got, datastore.Class(c), want)
		}
	}
	if err := to.Verify(); err != nil {
		t.Fatalf("%v", err)
	}
}

// Nothing of a store is lost on the way through an archive, neither what only waits
// to be carried down, nor what belongs further down where it comes to.
func TestArchive_losesNothing(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		from, source := shelf.store(t, shelf.owner)
		shelf.fill(t, from)
		to, target := shelf.store(t, shelf.owner)
		shelf.fill(t, to)
		if _, err := target.Import(context.Background(), bytes.NewReader(export(t, source, node.Selection{})), nil); err != nil {
			t.Fatalf("import: %v", err)
		}
		for k, err := range from.Kept() {
			if err != nil {
				t.Fatalf("list: %v", err)
			}
			got, err := to.Record(k.Record.ItemKey())
			if err != nil || got.ID() != k.Record.ID() && k.Record.Wins(got) {
				t.Fatalf("record %s: %v", k.Record.ID(), err)
			}
		}
		if err := to.Verify(); err != nil {
			t.Fatalf("%v", err)
		}
	})
}

// An archive that is cut or damaged anywhere gives what comes before, says where, and
// the whole one afterwards goes on from there.
func TestImport_damaged(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		from, source := shelf.store(t, shelf.owner)
		shelf.fill(t, from)
		settle(t, from)
		b := export(t, source, node.Selection{})
		at := rapid.IntRange(19, len(b)-1).Draw(t, "at")
		hurt := bytes.Clone(b)
		hurt[at] ^= 1
		if rapid.Bool().Draw(t, "cut") {
			hurt = hurt[:at]
		}
		to, target := shelf.store(t, shelf.owner)
		done, err := target.Import(context.Background(), bytes.NewReader(hurt), nil)
		var damage *archive.DamageError
		if !errors.As(err, &damage) || damage.Offset > int64(at) || done.New != damage.After || done.Refused > 0 {
			t.Fatalf("damaged at %d: %+v, %v", at, done, err)
		}
		if got := to.Stats().Records; got != done.New {
			t.Fatalf("%d records in the store, %+v imported", got, done)
		}
		if _, err := target.Import(context.Background(), bytes.NewReader(b), nil); err != nil {
			t.Fatalf("the whole one afterwards: %v", err)
		}
		wantSame(t, from, to)
	})
}

// What is broken off goes on where it was, and nothing comes twice.
func TestImport_interrupted(t *testing.T) {
	shelf := newShelf(t)
	from, source := shelf.store(t, shelf.owner)
	rapid.Check(t, func(t *rapid.T) { shelf.fill(t, from) })
	b := export(t, source, node.Selection{})
	cable := errors.New("the cable is out")
	to, target := shelf.store(t, shelf.owner)
	done, err := target.Import(t.Context(), io.MultiReader(bytes.NewReader(b[:len(b)/2]), iotest.ErrReader(cable)), nil)
	if !errors.Is(err, cable) || done.New == 0 {
		t.Fatalf("half of it: %+v, %v", done, err)
	}
	first := done.New
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if done, err = target.Import(ended, bytes.NewReader(b), nil); !errors.Is(err, context.Canceled) || done.Records() != 0 {
		t.Fatalf("ended before it began: %+v, %v", done, err)
	}
	var told node.Imported
	done, err = target.Import(t.Context(), bytes.NewReader(b), func(i node.Imported) { told = i })
	if err != nil || done.Had != first || done.New != from.Stats().Records-first || told.Records() != done.Records() {
		t.Fatalf("the rest: %+v, %v, told %+v; had %d of %d", done, err, told, first, from.Stats().Records)
	}
	if err := to.Verify(); err != nil {
		t.Fatal(err)
	}
}

// Each record passes the door by itself: one that does not is refused and hides no
// other.
func TestImport_door(t *testing.T) {
	shelf := newShelf(t)
	other, err := records.TestNetwork("other")
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Clone(shelf.records[0].Bytes())
	forged[len(forged)-1] ^= 1
	key := records.KeyFromSeed([32]byte{1})
	seal := func(n records.Network, created records.Millis) []byte {
		d, err := records.NewPost(created, [8]byte{9}, records.PostHead{}, records.PostBody{Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := records.Seal(t.Context(), n, records.AuthorSigner(key), d)
		if err != nil {
			t.Fatal(err)
		}
		return r.Bytes()
	}
	now := records.MillisOf(archiveNow)
	at := []archive.Standing{{Level: records.LevelMonth, Class: archive.Held}}
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, archive.Header{Network: shelf.network.ID(), Made: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []archive.Entry{
		{Bytes: forged, Standings: at},
		{Bytes: seal(other, now), Standings: at},
		{Bytes: seal(shelf.network, now+600_000), Standings: at},
		{Bytes: shelf.records[0].Bytes(), Standings: []archive.Standing{{Root: 7}}},
		{Bytes: []byte("hello"), Standings: at},
		{Bytes: shelf.records[1].Bytes(), Standings: at},
	} {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(0); err != nil {
		t.Fatal(err)
	}
	db, target := shelf.store(t, shelf.owner)
	done, err := target.Import(t.Context(), &b, nil)
	if err != nil || done.Refused != 5 || done.New != 1 || len(done.Reasons) != 3 || db.Stats().Records != 1 {
		t.Fatalf("%+v, %v, %d records", done, err, db.Stats().Records)
	}
}

// An archive of another network is refused as a whole; and whose own a record is, no
// archive says.
func TestImport_others(t *testing.T) {
	shelf := newShelf(t)
	r := shelf.records[slices.IndexFunc(shelf.records, func(r *records.Record) bool { return r.Author() != shelf.owner })]
	write := func(network string) io.Reader {
		var b bytes.Buffer
		w, err := archive.NewWriter(&b, archive.Header{Network: network})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(archive.Entry{Bytes: r.Bytes(), Standings: []archive.Standing{{Level: records.LevelMonth, Class: archive.Own}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(0); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	db, target := shelf.store(t, shelf.owner)
	if done, err := target.Import(t.Context(), write("other.00000000"), nil); !errors.Is(err, node.ErrOtherNetwork) || done.Records() != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := target.Import(t.Context(), write(shelf.network.ID()), nil); err != nil || db.Stats().Class[datastore.Held].Records != 1 {
		t.Fatalf("%v, %+v", err, db.Stats())
	}
}

// A store without room says so, keeps what it took, and goes on when there is room.
func TestImport_full(t *testing.T) {
	shelf := newShelf(t)
	from, source := shelf.store(t, shelf.owner)
	rapid.Check(t, func(t *rapid.T) { shelf.fill(t, from) })
	b := export(t, source, node.Selection{})
	small := datastore.OpenMemoryWith(datastore.Config{Network: shelf.network, Limits: datastore.Limits{Quota: 8 << 10}})
	defer small.Close()
	target := node.StoreOf(small, records.User{}, func() time.Time { return archiveNow })
	if _, err := target.Import(t.Context(), bytes.NewReader(b), nil); !errors.Is(err, node.ErrFull) {
		t.Fatalf("%v, want it full", err)
	}
	if err := small.Verify(); err != nil || small.Stats().Records == 0 {
		t.Fatalf("%v, %d records", err, small.Stats().Records)
	}
}

// A part of a store is what was asked for: an author's, a tag's, or both.
func TestExport_selection(t *testing.T) {
	shelf := newShelf(t)
	from, source := shelf.store(t, shelf.owner)
	for _, r := range shelf.records {
		if _, err := from.Merge(t.Context(), []records.Put{{Place: records.UserPlace(r.Author()).At(6, r), Record: r}}); err != nil {
			t.Fatal(err)
		}
	}
	for name, sel := range map[string]node.Selection{
		"an author":       {Users: []records.User{shelf.owner}},
		"a tag":           {Tags: []records.Tag{"go"}},
		"either of them":  {Users: []records.User{shelf.owner}, Tags: []records.Tag{"go"}},
		"a tag of nobody": {Tags: []records.Tag{"fish"}},
	} {
		db, target := shelf.store(t, shelf.owner)
		if _, err := target.Import(t.Context(), bytes.NewReader(export(t, source, sel)), nil); err != nil {
			t.Fatal(err)
		}
		want := int64(0)
		for k, err := range from.Kept() {
			if err != nil {
				t.Fatal(err)
			}
			post, _, _ := k.Record.Post()
			if len(sel.Users) > 0 && k.Record.Author() == sel.Users[0] || len(sel.Tags) > 0 && slices.Contains(post.Tags, sel.Tags[0]) {
				want++
			}
		}
		if got := db.Stats().Records; got != want {
			t.Errorf("%s: %d records, want %d", name, got, want)
		}
	}
}

package node_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
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

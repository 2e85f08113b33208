package datastore_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// Whatever is put as whatever, reclassed and dropped: a place is of the highest class
// it was given, what can be removed is what is of that class and has nothing of the
// owner, and the account of bytes is exact.
func TestClass_likeTheModel(t *testing.T) {
	u := newUniverse(t)
	owner := author(1).User()
	rapid.Check(t, func(t *rapid.T) {
		m := datastore.NewMemoryKV()
		open := func() *datastore.Store {
			s, err := datastore.OpenOnWith(m, datastore.Config{Network: u.network, Owner: owner})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s, classes := open(), map[records.Place]datastore.Class{}
		defer func() { _ = s.Close() }()
		for range rapid.IntRange(1, 12).Draw(t, "calls") {
			class := datastore.Class(rapid.IntRange(0, 2).Draw(t, "class"))
			switch rapid.IntRange(0, 5).Draw(t, "call") {
			case 0:
				reclassSome(t, s, classes, class)
			case 1:
				dropOne(t, s, classes)
			case 2:
				_ = s.Close()
				s = open()
			default:
				puts := make([]records.Put, rapid.IntRange(1, 15).Draw(t, "puts"))
				for i := range puts {
					puts[i] = u.draw(t)
					was, known := classes[puts[i].Place]
					if classes[puts[i].Place] = class; known {
						classes[puts[i].Place] = max(was, class)
					}
				}
				if _, err := s.MergeAs(bg, class, puts); err != nil {
					t.Fatal(err)
				}
			}
			compareClasses(t, s, classes, owner)
		}
		if err := datastore.Audit(s); err != nil {
			t.Fatal(err)
		}
	})
}

func somePlace(t *rapid.T, classes map[records.Place]datastore.Class) (records.Place, bool) {
	places := slices.SortedFunc(maps.Keys(classes), func(p, q records.Place) int { return slices.Compare(p.Bytes(), q.Bytes()) })
	if len(places) == 0 {
		return records.Place{}, false
	}
	return places[rapid.IntRange(0, len(places)-1).Draw(t, "place")], true
}

func reclassSome(t *rapid.T, s *datastore.Store, classes map[records.Place]datastore.Class, c datastore.Class) {
	p, known := somePlace(t, classes)
	if !known {
		return
	}
	if err := s.Reclass(bg, c, []records.Place{p}); err != nil {
		t.Fatal(err)
	}
	classes[p] = c
}

func dropOne(t *rapid.T, s *datastore.Store, classes map[records.Place]datastore.Class) {
	p, known := somePlace(t, classes)
	if !known {
		return
	}
	if err := s.Drop(bg, []records.Place{p}); err != nil {
		t.Fatal(err)
	}
	delete(classes, p)
}

// compareClasses compares what can be removed. Every put of a universe leaves
// something at its place.
func compareClasses(t *rapid.T, s *datastore.Store, classes map[records.Place]datastore.Class, owner records.User) {
	own := map[records.Place]bool{}
	for e, err := range s.All() {
		if err != nil {
			t.Fatal(err)
		}
		if r, err := s.Record(e.Key); err != nil {
			t.Fatal(err)
		} else if r.Author() == owner {
			own[e.Place] = true
		}
	}
	for p, err := range s.Displaced() {
		if err != nil {
			t.Fatal(err)
		}
		own[p.Place] = own[p.Place] || p.Record.Author() == owner
	}
	for c := range datastore.Class(datastore.Classes) {
		got := map[records.Place]bool{}
		for p, err := range s.Removable(c) {
			if err != nil {
				t.Fatal(err)
			}
			got[p] = true
		}
		for p, class := range classes {
			if want := class == c && !own[p]; got[p] != want {
				t.Fatalf("%s of class %s, own %t: can be removed as %s is %t", p, class, own[p], c, got[p])
			}
		}
	}
}

package dht_test

import (
	"context"
	"errors"
	"testing"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// A shelf keeps every version it is given, or refuses.
type shelf struct {
	kept    []records.Put
	refuses error
}

func (s *shelf) Register(_ context.Context, p records.Place) (*records.Record, error) {
	for _, k := range s.kept {
		if k.Place == p {
			return k.Record, nil
		}
	}
	return nil, s.refuses
}

func (s *shelf) Keep(_ context.Context, put records.Put) error {
	if s.refuses != nil {
		return s.refuses
	}
	s.kept = append(s.kept, put)
	return nil
}

// The library files values and finds them; it can neither delete nor list them, and
// hears of every refusal.
func TestValueStore_asTheLibraryUsesIt(t *testing.T) {
	owner := holder(0)
	id := records.RegisterID{User: owner.User(), Name: "service/a"}
	value := version(t, id, owner, 1<<16, 0, "x")
	s := &shelf{}
	store := dht.ValueStore(newValidator(t), s)
	at := ds.NewKey(dht.FiledAt("service", id.Key()))
	if _, err := store.Get(t.Context(), at); !errors.Is(err, ds.ErrNotFound) {
		t.Errorf("nothing is there: %v", err)
	}
	entry := dht.EncodeValue(id.Key(), value)
	if err := store.Put(t.Context(), at, entry); err != nil || len(s.kept) != 1 {
		t.Fatalf("kept %d, %v", len(s.kept), err)
	}
	if got, err := store.Get(t.Context(), at); err != nil || string(got) != string(entry) {
		t.Errorf("got %x, %v", got, err)
	}
	if has, err := store.Has(t.Context(), at); err != nil || !has {
		t.Errorf("has %t, %v", has, err)
	}
	if err := store.Delete(t.Context(), at); err == nil {
		t.Error("deleted")
	}
	found, err := store.Query(t.Context(), query.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := found.Rest(); err != nil || len(all) != 0 {
		t.Errorf("listed %d, %v", len(all), err)
	}
	if err := store.Put(t.Context(), ds.NewKey(dht.FiledAt("service", id.Key()+"x")), entry); err == nil {
		t.Error("filed under another key")
	}
	s.refuses = errors.New("no room")
	if err := store.Put(t.Context(), at, entry); !errors.Is(err, s.refuses) {
		t.Errorf("a refusal became %v", err)
	}
	other := records.RegisterID{User: owner.User(), Name: "service/b"}
	if _, err := store.Get(t.Context(), ds.NewKey(dht.FiledAt("service", other.Key()))); errors.Is(err, ds.ErrNotFound) || err == nil {
		t.Errorf("a store that fails looks like one without: %v", err)
	}
}

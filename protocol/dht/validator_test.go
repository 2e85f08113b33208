package dht_test

import (
	"bytes"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

var _ kad.Option = kad.Validator(dht.Validator{}) // it is what the library asks for

// present is the clock of validators.
var present = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func valueNet(t testing.TB) records.Network {
	t.Helper()
	n, err := records.TestNetwork("values")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func newValidator(t testing.TB) dht.Validator {
	return dht.NewValidator(records.NewDoor(valueNet(t), 256), func() time.Time { return present })
}

func holder(i int) records.Key { return records.KeyFromSeed([32]byte{byte(i), 1}) }

// version is a register's, signed by its owner at a revision.
func version(t testing.TB, id records.RegisterID, owner records.Key, rev records.Rev, epoch uint64, body string) []byte {
	t.Helper()
	s := records.AuthorSigner(owner)
	if epoch > 0 {
		c := records.Certify(valueNet(t), owner, holder(99).User(), epoch)
		s = records.Signer{Key: holder(99), Author: owner.User(), Certificate: &c}
	}
	r, err := records.Seal(t.Context(), valueNet(t), s, records.Draft{
		Head: records.RegisterHead{Name: id.Name}, Rev: rev, Body: []byte(body),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Bytes()
}

func names() []string {
	return []string{records.Profile, records.Identity, "service/a", "service/relay.eu-1_a"}
}

// What stands under a key is its owner's register of that name, whole and unchanged:
// no other author, no other key, no byte more, less or other.
func TestValidator_acceptsNothingElse(t *testing.T) {
	v := newValidator(t)
	rapid.Check(t, func(rt *rapid.T) {
		owner := holder(rapid.IntRange(0, 2).Draw(rt, "owner"))
		id := records.RegisterID{User: owner.User(), Name: rapid.SampledFrom(names()).Draw(rt, "name")}
		good := version(t, id, owner, records.RevAt(records.MillisOf(present)), 0, "x")
		if err := v.Validate(id.Key(), good); err != nil {
			rt.Fatalf("its owner's: %v", err)
		}
		bad := bytes.Clone(good)
		key := id.Key()
		switch rapid.IntRange(0, 6).Draw(rt, "what") {
		case 0:
			bad[rapid.IntRange(0, len(bad)-1).Draw(rt, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		case 1:
			bad = append(bad, rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(rt, "tail")...)
		case 2:
			bad = bad[:rapid.IntRange(0, len(bad)-1).Draw(rt, "length")]
		case 3:
			other := holder(rapid.IntRange(3, 5).Draw(rt, "other"))
			key = records.RegisterID{User: other.User(), Name: id.Name}.Key()
			if err := v.Validate(key, good); !errors.Is(err, records.ErrWrongOwner) {
				rt.Fatalf("under another's key: %v", err)
			}
		case 4:
			other := rapid.SampledFrom(names()).Filter(func(n string) bool { return n != id.Name }).Draw(rt, "other name")
			key = records.RegisterID{User: id.User, Name: other}.Key()
		case 5:
			key = rapid.SampledFrom([]string{"", "/", "/pk/x", "/name/ada", key + "/", key[1:], strings.Replace(key, "/", "//", 1), key + "\x00"}).Draw(rt, "key")
		default:
			bad = version(t, id, owner, records.RevAt(records.MillisOf(present.Add(3*time.Minute))), 0, "ahead")
		}
		if err := v.Validate(key, bad); err == nil {
			rt.Fatalf("%q holds %x", key, bad)
		}
	})
}

// Select chooses the version that wins, whichever order values come in and whatever
// else is among them, so that a sequence never goes back.
func TestValidator_selectIsATotalOrder(t *testing.T) {
	v := newValidator(t)
	owner := holder(0)
	id := records.RegisterID{User: owner.User(), Name: records.Profile}
	rapid.Check(t, func(rt *rapid.T) {
		var values [][]byte
		for i := range rapid.IntRange(1, 5).Draw(rt, "values") {
			rev := records.Rev(rapid.Uint64Range(1, 3).Draw(rt, fmt.Sprint("rev ", i)))
			epoch := rapid.Uint64Range(0, 1).Draw(rt, fmt.Sprint("epoch ", i))
			values = append(values, version(t, id, owner, rev, epoch, fmt.Sprint(rapid.IntRange(0, 2).Draw(rt, fmt.Sprint("body ", i)))))
		}
		for i := range rapid.IntRange(0, 2).Draw(rt, "bad ones") {
			values = append(values, fmt.Append(nil, "bad ", i))
		}
		open := func(i int) *records.Record {
			r, err := records.Open(values[i], valueNet(t), present)
			if err != nil {
				rt.Fatalf("chose value %d: %v", i, err)
			}
			return r
		}
		values = rapid.Permutation(values).Draw(rt, "order")
		first, err := v.Select(id.Key(), values)
		if err != nil {
			rt.Fatal(err)
		}
		best := open(first)
		for _, value := range values {
			if r, err := records.Open(value, valueNet(t), present); err == nil && r.Wins(best) {
				rt.Fatalf("chose revision %d and not %d", best.Rev(), r.Rev())
			}
		}
		values = rapid.Permutation(values).Draw(rt, "other order")
		if second, err := v.Select(id.Key(), values); err != nil || open(second).ID() != best.ID() {
			rt.Fatalf("another order, another choice: %d, %v", second, err)
		}
	})
	for _, none := range [][][]byte{nil, {[]byte("bad")}, {nil, nil}} {
		if _, err := v.Select(id.Key(), none); err == nil {
			t.Errorf("selected one of %q", none)
		}
	}
}

// A version that has expired may stand: it holds its key.
func TestValidator_expiredStands(t *testing.T) {
	owner := holder(0)
	id := records.RegisterID{User: owner.User(), Name: records.Profile}
	r, err := records.Seal(t.Context(), valueNet(t), records.AuthorSigner(owner), records.Draft{
		Head: records.RegisterHead{Name: id.Name}, Rev: 2 << 16, Expires: 1, Body: []byte{},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := newValidator(t)
	if err := v.Validate(id.Key(), r.Bytes()); err != nil {
		t.Error(err)
	}
	older := version(t, id, owner, 1<<16, 0, "older")
	if i, err := v.Select(id.Key(), [][]byte{older, r.Bytes()}); err != nil || i != 1 {
		t.Errorf("selected %d, %v", i, err)
	}
}

// Whatever is valid under a key is a register's record with that key, and nothing
// makes a validator fail.
func FuzzValidator(f *testing.F) {
	owner := holder(0)
	for _, name := range names() {
		id := records.RegisterID{User: owner.User(), Name: name}
		f.Add(id.Key(), version(f, id, owner, 1<<16, 0, "x"))
	}
	f.Add("/pk/x", []byte{})
	v := newValidator(f)
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		if i, err := v.Select(key, [][]byte{value}); (err == nil) != (v.Validate(key, value) == nil) || i != 0 {
			t.Fatalf("selected %d, %v", i, err)
		}
		if v.Validate(key, value) != nil {
			return
		}
		r, err := records.Open(value, valueNet(t), present)
		if err != nil {
			t.Fatal(err)
		}
		if id, _, _ := r.Register(); id.Key() != key {
			t.Fatalf("%q under %q", id.Key(), key)
		}
	})
}

// Entries of the library's are read as it writes them, and whatever else is filed is
// refused.
func FuzzValueEntry(f *testing.F) {
	owner := holder(0)
	id := records.RegisterID{User: owner.User(), Name: records.Profile}
	good := version(f, id, owner, 1<<16, 0, "x")
	filed := "/profile/" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(id.Key()))
	f.Add(filed, dht.EncodeValue(id.Key(), good))
	f.Add("/profile", []byte{10, 0})
	f.Add("/profile/no base32!", dht.EncodeValue(id.Key(), good))
	f.Add(filed, []byte{10, 5, 'x'}) // cut in a field
	f.Fuzz(func(t *testing.T, filedAt string, entry []byte) {
		s := &shelf{}
		err := dht.PutValue(t.Context(), newValidator(t), s, filedAt, entry)
		if (err == nil) != (len(s.kept) == 1) {
			t.Fatalf("kept %d, %v", len(s.kept), err)
		}
		key, value, err := dht.DecodeValue(entry)
		if err != nil {
			return
		}
		if again, same, err := dht.DecodeValue(dht.EncodeValue(key, value)); err != nil || again != key || !bytes.Equal(same, value) {
			t.Fatalf("%q, %x became %q, %x, %v", key, value, again, same, err)
		}
	})
}

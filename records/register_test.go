package records_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

func profileOf(i int) records.RegisterID {
	return records.RegisterID{User: person(i).User(), Name: records.Profile}
}

// drawRegister is any register that there can be.
func drawRegister(t *rapid.T) records.RegisterID {
	return records.RegisterID{
		User: person(rapid.IntRange(0, 3).Draw(t, "user")).User(),
		Name: rapid.OneOf(rapid.Just(records.Profile), rapid.Just(records.Identity), rapid.StringMatching(`service/[a-z0-9._-]{1,64}`)).Draw(t, "name"),
	}
}

// A register has one key, by which it is found again and which is its location.
func TestRegisterKey_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := drawRegister(t)
		got, err := records.ParseRegisterKey(id.Key())
		if err != nil || got != id {
			t.Fatalf("%s is read as %v, %v", id.Key(), got, err)
		}
		if string(id.Place().Location()) != id.Key() {
			t.Fatalf("%s stands at %s", id.Key(), id.Place().Location())
		}
		if of, ok := id.Place().Register(); !ok || of != id {
			t.Fatalf("the place of %v is that of %v", id, of)
		}
	})
}

// notKeys are no keys of registers, each for a reason of its own.
func notKeys() []string {
	u := person(0).User().Multibase()
	return []string{
		"", "/", "/profile", "/profile/", "profile/" + u, "/profile/" + u + "/", "/profile/" + u + "/x", "//" + u,
		"/other/" + u, "/service/" + u, "/service/" + u + "/", "/service/" + u + "/A", "/service/" + u + "/a/b",
		"/profile/did:key:" + u, "/profile/" + u[1:], "/profile/" + strings.ToUpper(u), "/name/ada", "/pk/" + u,
		"/service/" + u + "/" + strings.Repeat("x", 65), "/profile/" + u + "\x00",
	}
}

func TestRegisterKey_refuses(t *testing.T) {
	for _, key := range notKeys() {
		if id, err := records.ParseRegisterKey(key); !errors.Is(err, records.ErrNotRegister) {
			t.Errorf("%q is read as %v, %v", key, id, err)
		}
	}
}

// A register is named as its key is, or cannot be.
func TestRegisterID_check(t *testing.T) {
	for name, want := range map[string]error{
		records.Profile: nil, records.Identity: nil, "service/relay.eu-1_a": nil, "service/" + strings.Repeat("x", 64): nil,
		"": records.ErrNotRegister, "other": records.ErrNotRegister, "service/": records.ErrNotRegister,
		"service/A": records.ErrNotRegister, "service/" + strings.Repeat("x", 65): records.ErrNotRegister,
	} {
		if err := (records.RegisterID{User: person(0).User(), Name: name}).Check(); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
}

// Whatever key is read is the one that is written.
func FuzzParseRegisterKey(f *testing.F) {
	f.Add(profileOf(0).Key())
	f.Add(records.RegisterID{User: person(1).User(), Name: "service/relay.eu-1_a"}.Key())
	for _, key := range notKeys() {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		id, err := records.ParseRegisterKey(key)
		if err == nil && id.Key() != key {
			t.Fatalf("%q is written as %q", key, id.Key())
		}
	})
}

// Every version says what it holds, what it replaced and who agreed to it.
func TestRegister_versions(t *testing.T) {
	owner, party := person(0), person(1)
	id := records.RegisterID{User: owner.User(), Name: "service/backup"}
	value := []byte("two shares")
	body := records.RegisterBody{Value: value, Party: party.User()}
	now := records.MillisOf(noon)
	first := sealRegister(t, owner, nil, now, id.Name, body, 0)
	got, said, err := first.Register()
	if err != nil || got != id || !bytes.Equal(said.Value, value) || said.Confirmed(testNet, id) {
		t.Fatalf("%v, %+v, %v", got, said, err)
	}
	body.Consent = records.Consent(testNet, party, id, value)
	second := sealRegister(t, owner, first, now, id.Name, body, now+1000)
	_, said, err = second.Register()
	if err != nil || said.Replaces != first.ID() || !said.Confirmed(testNet, id) || !second.Wins(first) {
		t.Fatalf("second: %+v, %v", said, err)
	}
	if second.Expired(now+999) || !second.Expired(now+1000) || first.Expired(now+1<<40) {
		t.Error("expires at another time than it says")
	}
	other, err := records.TestNetwork("other")
	if err != nil {
		t.Fatal(err)
	}
	for name, holds := range map[string]bool{
		"another name":    said.Confirmed(testNet, records.RegisterID{User: id.User, Name: "service/other"}),
		"another owner":   said.Confirmed(testNet, records.RegisterID{User: party.User(), Name: id.Name}),
		"another network": said.Confirmed(other, id),
		"another value":   records.RegisterBody{Value: []byte("three"), Party: said.Party, Consent: said.Consent}.Confirmed(testNet, id),
		"another party":   records.RegisterBody{Value: value, Party: owner.User(), Consent: said.Consent}.Confirmed(testNet, id),
	} {
		if holds {
			t.Errorf("the consent holds for %s", name)
		}
	}
	gone := seal(t, testNet, owner, records.Tombstone(second, now))
	if _, said, err := gone.Register(); err != nil || len(said.Value) > 0 || !gone.Deleted() {
		t.Errorf("tombstone: %+v, %v", said, err)
	}
}

func sealRegister(t testing.TB, owner records.Key, prev *records.Record, now records.Millis, name string, b records.RegisterBody, expires records.Millis) *records.Record {
	t.Helper()
	d, err := records.NewRegister(prev, now, name, b, expires)
	if err != nil {
		t.Fatal(err)
	}
	return seal(t, testNet, owner, d)
}

// A body that is not ours is told as such, and no reader goes on with half of it.
func TestRegister_malformed(t *testing.T) {
	draft := records.Draft{Head: records.RegisterHead{Name: "profile"}, Rev: records.RevAt(1)}
	for _, body := range [][]byte{[]byte("\xff"), {0x12, 1, 1}, {0x1a, 1, 1}, {0x22, 1, 1}, {0x0a, 1, 'x', 0x0a, 1, 'y'}} {
		draft.Body = body
		if _, _, err := forge(t, testNet, person(0).User(), draft).Register(); !errors.Is(err, records.ErrMalformed) {
			t.Errorf("%x: %v", body, err)
		}
	}
	post := forge(t, testNet, person(0).User(), draftPost(t, 1, 1, records.PostHead{}))
	if _, _, err := post.Register(); !errors.Is(err, records.ErrMalformed) {
		t.Errorf("a post: %v", err)
	}
	if _, err := records.NewRegister(nil, 1, "other", records.RegisterBody{}, 0); !errors.Is(err, records.ErrNotRegister) {
		t.Errorf("a register of no kind: %v", err)
	}
}

// Why a version does not replace another follows from the two alone: either the one
// wins, or there is one reason why not.
func TestRefusal_totalAndTyped(t *testing.T) {
	author := person(0)
	version := func(t *rapid.T, name string) *records.Record {
		s := records.AuthorSigner(author)
		if epoch := rapid.Uint64Range(0, 2).Draw(t, name+" epoch"); epoch > 0 {
			c := records.Certify(testNet, author, person(9).User(), epoch)
			s = records.Signer{Key: person(9), Author: author.User(), Certificate: &c}
		}
		d := records.Draft{
			Head: records.RegisterHead{Name: records.Profile}, Rev: records.RevAt(records.Millis(rapid.IntRange(1, 3).Draw(t, name+" rev"))),
			Body: []byte{byte(rapid.IntRange(0, 2).Draw(t, name+" body"))},
		}
		r, err := records.Seal(t.Context(), testNet, s, d)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	rapid.Check(t, func(t *rapid.T) {
		put, held := version(t, "put"), version(t, "held")
		err := records.Refusal(put, held)
		if same := put.ID() == held.ID(); (err == nil) != (same || put.Wins(held)) {
			t.Fatalf("refused with %v", err)
		}
		if err == nil {
			return
		}
		reasons := 0
		for _, reason := range []error{records.ErrTooOld, records.ErrHaveNewer, records.ErrConflict} {
			if errors.Is(err, reason) {
				reasons++
			}
		}
		if reasons != 1 || records.Refusal(held, put) != nil {
			t.Fatalf("%d reasons: %v; the other way round %v", reasons, err, records.Refusal(held, put))
		}
	})
	if r := forge(t, testNet, author.User(), records.Draft{Head: records.RegisterHead{Name: records.Profile}}); records.Refusal(r, nil) != nil {
		t.Error("refused for nothing")
	}
}

// What somebody else alone may write is refused by a reason of its own.
func TestFits_wrongOwner(t *testing.T) {
	r := forge(t, testNet, person(0).User(), records.Draft{Head: records.RegisterHead{Name: records.Profile}, Body: []byte{}})
	for p, want := range map[records.Place]error{
		profileOf(0).Place():                          nil,
		profileOf(1).Place():                          records.ErrWrongOwner,
		records.UserPlace(person(1).User()):           records.ErrWrongOwner,
		records.UserPlace(person(0).User()):           records.ErrMisplaced,
		records.NamesPlace("ada"):                     records.ErrMisplaced,
		records.GraphPlace("pub/x"):                   records.ErrMisplaced,
		records.RegisterPlace(r.Author(), "identity"): records.ErrMisplaced,
	} {
		err := records.Fits(r, p)
		if !errors.Is(err, want) || errors.Is(err, records.ErrWrongOwner) != errors.Is(want, records.ErrWrongOwner) {
			t.Errorf("%s: %v, want %v", p, err, want)
		}
	}
}

func TestProfile_rules(t *testing.T) {
	full := records.ProfileBody{Name: strings.Repeat("ä", 64), About: strings.Repeat("x", 1024), Links: []string{"https://example.org/"}}
	b, err := full.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := records.ParseProfile(b); err != nil || got.Name != full.Name || got.About != full.About || got.Links[0] != full.Links[0] {
		t.Errorf("read %+v, %v", got, err)
	}
	for name, bad := range map[string]records.ProfileBody{
		"long name":         {Name: strings.Repeat("x", 65)},
		"control character": {Name: "a\x1b"},
		"long about":        {About: strings.Repeat("x", 1025)},
		"not UTF-8":         {About: "\xff"},
		"many links":        {Links: make([]string, 9)},
		"script":            {Links: []string{"javascript:alert(1)"}},
	} {
		if _, err := bad.Encode(); !errors.Is(err, records.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever is read as a profile or as a register's body can be written.
func FuzzRegisterBody(f *testing.F) {
	b, err := records.ProfileBody{Name: "Ada", About: "x", Links: []string{"https://example.org/"}}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	body := func(t testing.TB, b []byte) *records.Record {
		return forge(t, testNet, person(0).User(), records.Draft{Head: records.RegisterHead{Name: records.Profile}, Rev: 1 << 16, Body: b})
	}
	f.Add(b)
	for _, b := range [][]byte{nil, []byte("\xff"), {0x12, 1, 1}, {0x0a, 1, 0x07}, {0x1a, 1, 'x'}, bytes.Repeat([]byte{0x1a, 1, 'x'}, records.MaxProfileLinks+1)} {
		f.Add(b)
	}
	f.Add(sealRegister(f, person(0), nil, 1, records.Profile, records.RegisterBody{Value: b, Party: person(1).User(), Replaces: records.ID{1}, Consent: [64]byte{1}}, 0).Body())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := records.ParseProfile(b); err == nil {
			if again, err := p.Encode(); err != nil || len(again) > len(b) {
				t.Fatalf("%x is written as %x, %v", b, again, err)
			}
		}
		if len(b) > records.MaxText {
			return
		}
		id, said, err := body(t, append([]byte{}, b...)).Register()
		if err != nil {
			return
		}
		d, err := records.NewRegister(nil, 1, id.Name, said, 0)
		if err != nil || len(d.Body) > len(b) {
			t.Fatalf("%x is written as %x, %v", b, d.Body, err)
		}
	})
}

package archive_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
)

func hexadecimal(b []byte) string { return hex.EncodeToString(b) }

// A place of a record and its standing are two names of one thing.
func TestStanding_place(t *testing.T) {
	n, err := records.TestNetwork("archive")
	if err != nil {
		t.Fatal(err)
	}
	key := records.KeyFromSeed([32]byte{1})
	post := records.PostHead{Tags: []records.Tag{"birds", "go"}, Mentions: []records.User{key.User()}}
	d, err := records.NewPost(1_795_000_000_000, [8]byte{1}, post, records.PostBody{Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := records.Seal(t.Context(), n, records.AuthorSigner(key), d)
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range r.Roots() {
		for level := range 80 {
			p := root.At(level, r)
			s, ok := archive.StandingAt(r, p, archive.Held)
			if !ok {
				t.Fatalf("%s is no place of its record", p)
			}
			if back, err := s.Place(r); err != nil || back != p {
				t.Fatalf("%s became %+v and then %s, %v", p, s, back, err)
			}
		}
	}
	if _, ok := archive.StandingAt(r, records.TagPlace("fish"), archive.Held); ok {
		t.Error("a tag that the record does not have")
	}
	for _, s := range []archive.Standing{{Root: 7}, {Level: 80}, {Level: 255}} {
		if p, err := s.Place(r); !errors.Is(err, records.ErrMisplaced) {
			t.Errorf("%+v is %s, %v", s, p, err)
		}
	}
}

package records_test

import (
	"bytes"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/starling-social/starling/records"
)

// Whatever opens is what it says: the same bytes, the same once more, sealed by
// someone who may, in a place that is its own.
func FuzzOpen(f *testing.F) {
	for _, v := range readVectors[[]recordVector](f, "golden/records.json") {
		f.Add([]byte(v.Envelope))
	}
	for _, v := range readVectors[[]refusalVector](f, "invalid/records.json") {
		f.Add([]byte(v.Envelope))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := records.Open(b, testNet, noon)
		if err != nil {
			mustBeReason(t, err)
			return
		}
		checkOpened(t, r, b)
	})
}

// As [FuzzOpen], with a payload that is signed as it comes, so that what is found
// behind the signature is fuzzed too.
func FuzzOpenPayload(f *testing.F) {
	for _, v := range readVectors[[]recordVector](f, "golden/records.json") {
		f.Add([]byte(v.Payload))
	}
	for _, v := range readVectors[[]refusalVector](f, "invalid/records.json") {
		if payload, ok := records.Payload(v.Envelope); ok {
			f.Add(payload)
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		b := records.SealPayload(testNet, person(0), payload)
		r, err := records.Open(b, testNet, noon)
		if err != nil {
			mustBeReason(t, err)
			return
		}
		checkOpened(t, r, b)
	})
}

func mustBeReason(t *testing.T, err error) {
	t.Helper()
	if nameOf(err) == "" {
		t.Fatalf("refused for no reason: %v", err)
	}
}

func checkOpened(t *testing.T, r *records.Record, b []byte) {
	t.Helper()
	if !bytes.Equal(r.Bytes(), b) || records.DigestOf(b) != r.Digest() {
		t.Fatal("not the same bytes")
	}
	again, err := records.Restore(b, r.Digest(), testNet)
	if err != nil {
		t.Fatal(err)
	}
	sameRecord(t, "restored", again, r)
	if n := len(r.Roots()); n < 1 || n > records.MaxPlaces {
		t.Fatalf("%d places", n)
	}
	for _, root := range r.Roots() {
		for level := range 80 {
			p := root.At(level, r)
			if err := records.Fits(r, p); err != nil {
				t.Fatal(err)
			}
			if q, err := records.ParsePlace(p.Bytes()); err != nil || p != q {
				t.Fatalf("%x: %v", p.Bytes(), err)
			}
		}
	}
	if head, body, ok := r.Post(); ok && !r.Deleted() {
		checkResealed(t, r, head, body)
	}
}

// checkResealed says the same post in our own words: unknown fields apart, there
// is one encoding of it.
func checkResealed(t *testing.T, r *records.Record, head records.PostHead, body records.PostBody) {
	t.Helper()
	d, err := records.NewPost(r.Created(), [8]byte{}, head, body)
	if err != nil {
		t.Fatalf("nobody could have written %+v: %v", body, err)
	}
	if !bytes.Equal(d.Body, r.Body()) && len(d.Body) >= len(r.Body()) {
		t.Fatalf("two encodings of one body: %x, %x", r.Body(), d.Body)
	}
}

// There is one encoding of a place.
func FuzzParsePlace(f *testing.F) {
	for _, v := range readVectors[[]placeVector](f, "golden/places.json") {
		f.Add([]byte(v.Bytes))
	}
	for _, v := range readVectors[[]badPlace](f, "invalid/places.json") {
		f.Add([]byte(v.Bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := records.ParsePlace(b)
		if err != nil {
			if !errors.Is(err, records.ErrNotPlace) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(p.Bytes(), b) {
			t.Fatalf("%x became %x", b, p.Bytes())
		}
		if from, to := p.Span(); from < 0 || to <= from || from > records.MaxMillis {
			t.Fatalf("%s is from %d to %d", p, from, to)
		}
		if !utf8.ValidString(p.String()) {
			t.Fatalf("%x has no name", b)
		}
		for a, ok := p, true; ok; a, ok = a.Parent() {
			if !a.Covers(p) || a.Root() != p.Root() {
				t.Fatalf("%s does not cover %s", a, p)
			}
			if q, err := records.ParsePlace(a.Bytes()); err != nil || q != a {
				t.Fatalf("%s above %s: %v", a, p, err)
			}
		}
		_ = p.Coordinate()
	})
}

// fuzzText feeds a parser of text with valid and invalid vectors.
func fuzzText(f *testing.F, invalid string, valid []string, parse func(t *testing.T, s string)) {
	f.Helper()
	for _, v := range readVectors[[]textVector](f, "invalid/"+invalid+".json") {
		f.Add(v.Input)
	}
	for _, s := range valid {
		f.Add(s)
	}
	f.Fuzz(parse)
}

// There is one name of a user.
func FuzzParseUser(f *testing.F) {
	var valid []string
	for _, v := range readVectors[[]userVector](f, "golden/users.json") {
		valid = append(valid, v.User)
	}
	fuzzText(f, "users", valid, func(t *testing.T, s string) {
		u, err := records.ParseUser(s)
		if err == nil && u.String() != s {
			t.Fatalf("%q became %q", s, u)
		}
		if err != nil && !errors.Is(err, records.ErrNotUser) {
			t.Fatal(err)
		}
	})
}

// There is one id of a post.
func FuzzParseRef(f *testing.F) {
	var valid []string
	for _, v := range readVectors[[]refVector](f, "golden/post_ids.json") {
		valid = append(valid, v.PostID)
	}
	fuzzText(f, "post_ids", valid, func(t *testing.T, s string) {
		r, err := records.ParseRef(s)
		if err == nil && r.String() != s {
			t.Fatalf("%q became %q", s, r)
		}
		if err != nil && !errors.Is(err, records.ErrNotPost) {
			t.Fatal(err)
		}
	})
}

// There is one cursor at a position.
func FuzzParseCursor(f *testing.F) {
	var valid []string
	for _, v := range readVectors[[]refVector](f, "golden/post_ids.json") {
		valid = append(valid, v.Cursor)
	}
	fuzzText(f, "cursors", valid, func(t *testing.T, s string) {
		p, err := records.ParseCursor(s)
		if err == nil && p.Cursor() != s {
			t.Fatalf("%q became %q", s, p.Cursor())
		}
		if err != nil && !errors.Is(err, records.ErrNotCursor) {
			t.Fatal(err)
		}
	})
}

// What is a tag is its own normal form.
func FuzzNormalizeTag(f *testing.F) {
	var valid []string
	for _, v := range readVectors[[]tagVector](f, "valid/tags.json") {
		valid = append(valid, v.Input)
	}
	fuzzText(f, "tags", valid, func(t *testing.T, s string) {
		tag, err := records.NormalizeTag(s)
		if err != nil {
			if !errors.Is(err, records.ErrNotTag) {
				t.Fatal(err)
			}
			return
		}
		if again, err := records.NormalizeTag(string(tag)); err != nil || again != tag {
			t.Fatalf("%q became %q and then %q, %v", s, tag, again, err)
		}
		if n := utf8.RuneCountInString(string(tag)); n < 1 || n > 64 || !utf8.ValidString(string(tag)) {
			t.Fatalf("%q became %q", s, tag)
		}
		if p, err := records.ParsePlace(records.TagPlace(tag).Bytes()); err != nil || p.Base() != string(tag) {
			t.Fatalf("%q: %v", tag, err)
		}
	})
}

// Links are as the rule says, and pass through a facet.
func FuzzValidLink(f *testing.F) {
	var valid []string
	for _, v := range readVectors[[]textVector](f, "valid/links.json") {
		valid = append(valid, v.Input)
	}
	fuzzText(f, "links", valid, func(t *testing.T, s string) {
		body := records.PostBody{Text: "x", Facets: []records.Facet{{End: 1, Link: s}}}
		d, err := records.NewPost(0, [8]byte{}, records.PostHead{}, body)
		if (err == nil) != records.ValidLink(s) {
			t.Fatalf("%q: %v", s, err)
		}
		if err == nil && !bytes.Contains(d.Body, []byte(s)) {
			t.Fatalf("%q is not in %x", s, d.Body)
		}
	})
}

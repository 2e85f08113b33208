package records_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

// Sealing the same draft again makes the same bytes: keys and work are deterministic.
func TestSeal_deterministic(t *testing.T) {
	n := workNetwork(t, 6)
	for _, s := range samples(t) {
		if a, b := seal(t, n, person(0), s.draft), seal(t, n, person(0), s.draft); !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: two different envelopes", s.name)
		}
	}
}

// What Open would refuse is not sealed.
func TestSeal_refuses(t *testing.T) {
	author, device, created := person(0), person(9), records.MillisOf(noon)
	good := samples(t)[0].draft
	change := func(f func(*records.Draft)) records.Draft {
		d := good
		f(&d)
		return d
	}
	stranger := records.Certify(testNet, person(1), device.User(), 1)
	for name, c := range map[string]struct {
		signer records.Signer
		draft  records.Draft
		want   error
	}{
		"created in the year -1":     {records.AuthorSigner(author), change(func(d *records.Draft) { d.Created = -1 }), records.ErrMalformed},
		"created after the revision": {records.AuthorSigner(author), change(func(d *records.Draft) { d.Created = created + 1 }), records.ErrMalformed},
		"expired before it began":    {records.AuthorSigner(author), change(func(d *records.Draft) { d.Expires = created }), records.ErrMalformed},
		"body that is no post's":     {records.AuthorSigner(author), change(func(d *records.Draft) { d.Body = []byte("text") }), records.ErrMalformed},
		"head that is not in order": {
			records.AuthorSigner(author), change(func(d *records.Draft) { d.Head = records.PostHead{Tags: []records.Tag{"b", "a"}} }), records.ErrMalformed,
		},
		"another's soul": {
			records.AuthorSigner(author), change(func(d *records.Draft) { d.Head = records.GraphHead{Soul: "own/x/y", Field: "f"} }), records.ErrMalformed,
		},
		"larger than a record": {
			records.AuthorSigner(author), records.Draft{Head: records.RegisterHead{Name: "profile"}, Body: make([]byte, records.MaxRecord)}, records.ErrTooLarge,
		},
		"signed by a key without certificate": {records.Signer{Key: device, Author: author.User()}, good, records.ErrSignature},
		"with another's certificate":          {records.Signer{Key: device, Author: author.User(), Certificate: &stranger}, good, records.ErrCertificate},
	} {
		if r, err := records.Seal(t.Context(), testNet, c.signer, c.draft); !errors.Is(err, c.want) || r != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// What is too large for a record is refused before a second is spent on its work;
// the largest that fits is not.
func TestSeal_tooLarge(t *testing.T) {
	profile := func(body int) records.Draft {
		return records.Draft{Head: records.RegisterHead{Name: "profile"}, Body: make([]byte, body)}
	}
	room := records.MaxRecord - len(seal(t, testNet, person(0), profile(4000)).Bytes()) + 4000
	if got := len(seal(t, testNet, person(0), profile(room)).Bytes()); got != records.MaxRecord {
		t.Errorf("%d bytes, want %d", got, records.MaxRecord)
	}
	endless := workNetwork(t, 40)
	for _, body := range []int{room + 1, 1 << 20} {
		if _, err := records.Seal(t.Context(), endless, records.AuthorSigner(person(0)), profile(body)); !errors.Is(err, records.ErrTooLarge) {
			t.Errorf("body of %d bytes: %v", body, err)
		}
	}
}

// Facets are looked at before a draft is made, those of Go's negative numbers too.
func TestNewPost_refuses(t *testing.T) {
	for name, body := range map[string]records.PostBody{
		"text of 4097 bytes":  {Text: strings.Repeat("x", records.MaxText+1)},
		"text not in UTF-8":   {Text: "\xff"},
		"facet before text":   {Text: "x", Facets: []records.Facet{{Start: -1, End: 1, Link: "https://a"}}},
		"facet of two things": {Text: "x", Facets: []records.Facet{{End: 1, Link: "https://a", Tag: "go"}}},
	} {
		if _, err := records.NewPost(0, salt(0), records.PostHead{Tags: []records.Tag{"go"}}, body); !errors.Is(err, records.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "\x00\x1b[31m", strings.Repeat("x", records.MaxText)} {
		if _, err := records.NewPost(0, salt(0), records.PostHead{}, records.PostBody{Text: text}); err != nil {
			t.Errorf("text %.10q: %v", text, err)
		}
	}
}

// Proving work ends with its context.
func TestSeal_cancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := records.Seal(ctx, workNetwork(t, 40), records.AuthorSigner(person(0)), samples(t)[0].draft)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// Work grows with the size of a record and with its places.
func TestNetwork_workBits(t *testing.T) {
	n := workNetwork(t, 20)
	for _, c := range []struct{ size, places, want int }{
		{0, 0, 20},
		{1, 1, 20},
		{1024, 1, 20},
		{1025, 1, 21},
		{2048, 1, 21},
		{2049, 1, 22},
		{4096, 1, 22},
		{4097, 1, 23},
		{8192, 1, 23},
		{300, 2, 21},
		{300, 3, 22},
		{300, 4, 22},
		{300, 5, 23},
		{300, 8, 23},
		{8192, 8, 26},
	} {
		if got := n.WorkBits(c.size, c.places); got != c.want {
			t.Errorf("%d bytes in %d places: %d bits, want %d", c.size, c.places, got, c.want)
		}
	}
}

// The public network's own numbers work, once, as they are.
func TestSeal_mainNetwork(t *testing.T) {
	n := records.MainNetwork()
	r := seal(t, n, person(0), samples(t)[0].draft)
	if _, err := records.Open(r.Bytes(), n, noon); err != nil {
		t.Error(err)
	}
	if _, bits := records.Proof(n, payloadOf(r.Bytes())); bits < n.Params.WorkBits {
		t.Errorf("%d bits, want %d", bits, n.Params.WorkBits)
	}
}

// A key shows its public half alone, whatever the verb.
func TestKey_format(t *testing.T) {
	k := person(0)
	seed := k.Seed()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		got := fmt.Sprintf(verb, k)
		if got != "key of "+k.User().String() || strings.Contains(got, fmt.Sprintf("%x", seed[:4])) {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

func TestGenerateKey(t *testing.T) {
	k, err := records.GenerateKey(bytes.NewReader(make([]byte, 32)))
	if err != nil || k.Seed() != [32]byte{} || records.KeyFromSeed(k.Seed()).User() != k.User() {
		t.Errorf("%v, %v", k, err)
	}
	if _, err := records.GenerateKey(bytes.NewReader(make([]byte, 31))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("from 31 bytes: %v", err)
	}
}

// A network is refused that nobody could use.
func TestNewNetwork_limits(t *testing.T) {
	for _, p := range []records.Params{
		{WorkBits: -1, Neighbourhood: 4, Capacity: 64},
		{WorkBits: 41, Neighbourhood: 4, Capacity: 64},
		{PuzzleBits: 41, Neighbourhood: 4, Capacity: 64},
		{Capacity: 64},
		{Neighbourhood: 257, Capacity: 64},
		{Neighbourhood: 4},
		{Neighbourhood: 4, Capacity: 257},
	} {
		if n, err := records.NewNetwork("x", p); err == nil {
			t.Errorf("%+v became %s", p, n)
		}
	}
	if n, err := records.NamedNetwork("main"); err != nil || n.ID() != records.MainNetwork().ID() {
		t.Errorf("main is %s, %v", n, err)
	}
	if n, err := records.NamedNetwork("x"); err != nil || n.Params.WorkBits != 0 || n.Params.PuzzleBits != 0 {
		t.Errorf("x is %+v, %v", n, err)
	}
}

package records_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

// noon is the present of most tests: 2026-11-21 12:00 UTC.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// testNet is a network without work.
var testNet = mustTestNetwork("test")

func mustTestNetwork(name string) records.Network {
	n, err := records.TestNetwork(name)
	if err != nil {
		panic(err)
	}
	return n
}

// small is a network whose buckets hold n records, so that few records make a deep tree.
func small(t testing.TB, n int) records.Network {
	t.Helper()
	net, err := records.NewNetwork("small", records.Params{Neighbourhood: 4, Capacity: n})
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// person is the key of the i-th person of a test.
func person(i int) records.Key {
	var seed [32]byte
	copy(seed[:], "starling test person")
	binary.BigEndian.PutUint64(seed[24:], uint64(i))
	return records.KeyFromSeed(seed)
}

func salt(i int) (s [8]byte) {
	binary.BigEndian.PutUint64(s[:], uint64(i))
	return s
}

// draftPost is the first version of the i-th post of a test.
func draftPost(t testing.TB, i int, created records.Millis, head records.PostHead) records.Draft {
	t.Helper()
	d, err := records.NewPost(created, salt(i), head, records.PostBody{Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// forge is the record of a draft, unsigned.
func forge(t testing.TB, n records.Network, author records.User, d records.Draft) *records.Record {
	t.Helper()
	r, err := records.Forge(n, author, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// seal is the record of a draft, signed by its author.
func seal(t testing.TB, n records.Network, author records.Key, d records.Draft) *records.Record {
	t.Helper()
	r, err := records.Seal(t.Context(), n, records.AuthorSigner(author), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A sample is a draft of a kind of record, with every field of its head in use.
type sample struct {
	name  string
	draft records.Draft
}

// samples are one record of every kind, posts in every shape, at fixed times.
func samples(t testing.TB) []sample {
	t.Helper()
	created := records.MillisOf(noon)
	root := records.Ref{Author: person(3).User(), Created: created - 7200_000, Key: records.ItemKey{1, 2, 3}}
	parent := records.Ref{Author: person(0).User(), Created: created - 3600_000, Key: records.ItemKey{4, 5, 6}}
	draft := func(h records.Head, body []byte) records.Draft {
		return records.Draft{Head: h, Created: created, Salt: salt(7), Rev: records.RevAt(created), Body: body}
	}
	post := func(head records.PostHead, body records.PostBody) records.Draft {
		d, err := records.NewPost(created, salt(7), head, body)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	soul := "own/" + person(0).User().Multibase() + "/notes"
	full := fullPost()
	expiring := post(records.PostHead{}, records.PostBody{Text: "soon gone"})
	expiring.Expires = created + 86400_000
	edited := post(records.PostHead{}, records.PostBody{Text: "edited"})
	edited.Rev = records.RevAt(created+60_000) + 1
	return []sample{
		{"post", post(records.PostHead{}, records.PostBody{Text: "Hello, world"})},
		{"post without text", post(records.PostHead{}, records.PostBody{})},
		{"post with tags, mention and facets", post(full.head, full.body)},
		{"post that expires", expiring},
		{"post, edited", edited},
		{"post, deleted", draft(records.PostHead{}, nil)},
		{"reply to another", post(records.PostHead{Root: &root, Parent: &root}, records.PostBody{Text: "reply"})},
		{"reply to oneself", post(records.PostHead{Root: &root, Parent: &parent}, records.PostBody{Text: "and further"})},
		{"reaction", draft(records.ReactionHead{Target: root, Class: 1}, []byte{})},
		{"reaction, taken back", draft(records.ReactionHead{Target: root, Class: 1}, nil)},
		{"follow", draft(records.FollowHead{Followed: person(1).User()}, []byte{})},
		{"profile", draft(records.RegisterHead{Name: "profile"}, []byte("any bytes"))},
		{"identity", draft(records.RegisterHead{Name: "identity"}, []byte("any bytes"))},
		{"service record", draft(records.RegisterHead{Name: "service/relay.eu-1_a"}, []byte("any bytes"))},
		{"name claim", draft(records.NameHead{Nickname: "ada"}, []byte{})},
		{"field of a public soul", draft(records.GraphHead{Soul: "pub/games/go", Field: "title"}, []byte("Go"))},
		{"field of an owned soul", draft(records.GraphHead{Soul: records.Soul(soul), Field: "first"}, []byte("x"))},
		{"sealed key", draft(records.SealedHead{Soul: records.Soul("sec" + soul[3:]), Epoch: 3}, []byte("wrapped"))},
	}
}

type postParts struct {
	head records.PostHead
	body records.PostBody
}

// fullPost has two tags, a mention and one facet of each meaning.
func fullPost() postParts {
	bob := person(1).User()
	return postParts{
		records.PostHead{Tags: []records.Tag{"go", "日本"}, Mentions: []records.User{bob}},
		records.PostBody{Text: "#Go で @bob https://example.org/ #日本", Facets: []records.Facet{
			{Start: 0, End: 3, Tag: "go"},
			{Start: 8, End: 12, Mention: &bob},
			{Start: 13, End: 33, Link: "https://example.org/"},
			{Start: 34, End: 41, Tag: "日本"},
		}},
	}
}

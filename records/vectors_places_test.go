package records_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/starling-social/starling/records"
)

type placeVector struct {
	Description string         `json:"description"`
	Level       int            `json:"level"`
	From        records.Millis `json:"from"` // of its time, inclusive
	To          records.Millis `json:"to"`   // exclusive
	Capacity    int            `json:"capacity"`
	Bytes       hexBytes       `json:"bytes"`
	Location    hexBytes       `json:"location"`
	Coordinate  hexBytes       `json:"coordinate"`
	Parent      hexBytes       `json:"parent"` // bytes of the place above, empty at a root
}

func placeVectorOf(p records.Place) placeVector {
	from, to := p.Span()
	c := p.Coordinate()
	v := placeVector{
		Description: p.String(), Level: p.Level(), From: from, To: to, Capacity: testNet.Capacity(p),
		Bytes: p.Bytes(), Location: p.Location(), Coordinate: c[:], Parent: hexBytes{},
	}
	if parent, ok := p.Parent(); ok {
		v.Parent = parent.Bytes()
	}
	return v
}

// Every level of both ladders, for one post and one reaction, and every kind of
// place at its root. Spec: "Places".
func TestVectors_places(t *testing.T) {
	created := records.MillisOf(noon)
	post := forge(t, testNet, person(0).User(), draftPost(t, 7, created, records.PostHead{Tags: []records.Tag{"日本"}}))
	reaction := forge(t, testNet, person(0).User(), records.Draft{
		Head: records.ReactionHead{Target: post.Ref(), Class: 1}, Rev: records.RevAt(created), Body: []byte{},
	})
	var vectors []placeVector
	for level := 0; level <= 73; level++ {
		vectors = append(vectors, placeVectorOf(records.TagPlace("日本").At(level, post)))
	}
	for level := 0; level <= 64; level++ {
		vectors = append(vectors, placeVectorOf(records.ReactionsPlace(post.ItemKey()).At(level, reaction)))
	}
	u := person(1).User()
	for _, p := range []records.Place{
		records.UserPlace(u), records.MentionPlace(u), records.ThreadPlace(post.ItemKey()),
		records.SequelPlace(post.ItemKey(), person(0).User()), records.FollowersPlace(u), records.RegisterPlace(u, "profile"),
		records.RegisterPlace(u, "identity"), records.RegisterPlace(u, "service/relay"), records.NamesPlace("ada"),
		records.GraphPlace("pub/games/go"), records.GraphPlace(records.Soul("own/" + u.Multibase() + "/notes")),
	} {
		vectors = append(vectors, placeVectorOf(p))
	}
	for _, v := range match(t, "golden/places.json", vectors) {
		p, err := records.ParsePlace(v.Bytes)
		if err != nil {
			t.Fatalf("%s: %v", v.Description, err)
		}
		if got := placeVectorOf(p); fmt.Sprint(got) != fmt.Sprint(v) {
			t.Errorf("parsed %v, want %v", got, v)
		}
	}
}

type badPlace struct {
	Description string   `json:"description"`
	Bytes       hexBytes `json:"bytes"`
}

// Spec: what is refused as a place.
func TestVectors_placesInvalid(t *testing.T) {
	for _, v := range readVectors[[]badPlace](t, "invalid/places.json") {
		if p, err := records.ParsePlace(v.Bytes); err == nil {
			t.Errorf("%s: %x became %s", v.Description, v.Bytes, p)
		}
	}
}

// The invalid places lie near valid ones: put right, each of them parses.
func TestVectors_placesInvalidNearby(t *testing.T) {
	tag := records.TagPlace("go").Bytes()
	if want := []byte{2, 0, 2, 'g', 'o', 0}; !bytes.Equal(tag, want) {
		t.Fatalf("bytes %x, want %x", tag, want)
	}
	for _, b := range [][]byte{
		tag,
		{2, 0, 2, 'g', 'o', 1, 0, 0, 0, 0, 0, 0, 0, 61},
		{2, 0, 2, 'g', 'o', 10, 0, 0, 0, 0, 0, 0, 0, 0, 0xa0},
		{9, 0, 2, 'g', 'o', 1, 0xa0},
		{10, 0, 5, 'p', 'u', 'b', '/', 'x', 0},
	} {
		if _, err := records.ParsePlace(b); err != nil {
			t.Errorf("%x: %v", b, err)
		}
	}
}

package records_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/starling-social/starling/records"
)

type hashVector struct {
	Purpose string   `json:"purpose"`
	Context string   `json:"context"`
	Input   hexBytes `json:"input"`
	Hash    hexBytes `json:"blake3_derive_key"`
}

// Every derive-key context, over inputs of no chunk, a part of one and two.
func TestVectors_hashes(t *testing.T) {
	var vectors []hashVector
	contexts := records.Contexts()
	for _, purpose := range sortedKeys(contexts) {
		for _, input := range [][]byte{{}, []byte("starling"), bytes.Repeat([]byte{0, 1, 2, 3, 4, 5, 6}, 200)} {
			h := records.Sum(contexts[purpose], input)
			vectors = append(vectors, hashVector{purpose, contexts[purpose], input, h[:]})
		}
	}
	match(t, "golden/hashes.json", vectors)
}

func sortedKeys[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

type networkVector struct {
	Name          string `json:"name"`
	WorkBits      int    `json:"work_bits"`
	PuzzleBits    int    `json:"puzzle_bits"`
	Neighbourhood int    `json:"neighbourhood"`
	Capacity      int    `json:"capacity"`
	ID            string `json:"id"`
	Domain        string `json:"domain"`
}

func TestVectors_networks(t *testing.T) {
	other, err := records.NewNetwork("a-9", records.Params{WorkBits: 40, PuzzleBits: 40, Neighbourhood: 256, Capacity: 256})
	if err != nil {
		t.Fatal(err)
	}
	least, err := records.NewNetwork("0", records.Params{Neighbourhood: 1, Capacity: 1})
	if err != nil {
		t.Fatal(err)
	}
	var vectors []networkVector
	for _, n := range []records.Network{records.MainNetwork(), testNet, other, least} {
		p := n.Params
		vectors = append(vectors, networkVector{
			n.Name, p.WorkBits, p.PuzzleBits, p.Neighbourhood, p.Capacity, n.ID(), records.Domain(n),
		})
	}
	match(t, "golden/networks.json", vectors)
}

type userVector struct {
	Seed   hexBytes `json:"seed"`
	Public hexBytes `json:"public_key"`
	User   string   `json:"user"`
}

func TestVectors_users(t *testing.T) {
	var vectors []userVector
	for i := range 3 {
		k := person(i)
		seed, u := k.Seed(), k.User()
		vectors = append(vectors, userVector{seed[:], u[:], u.String()})
	}
	for _, v := range match(t, "golden/users.json", vectors) {
		u, err := records.ParseUser(v.User)
		if err != nil || !bytes.Equal(u[:], v.Public) {
			t.Errorf("%s: %x, %v", v.User, u, err)
		}
	}
}

type refVector struct {
	Description string         `json:"description"`
	Author      hexBytes       `json:"author"`
	Created     records.Millis `json:"created"`
	Key         hexBytes       `json:"item_key"`
	PostID      string         `json:"post_id"`
	Cursor      string         `json:"cursor"`
}

// A post id and the cursor at the same post.
func TestVectors_postIDs(t *testing.T) {
	vector := func(description string, r records.Ref) refVector {
		p := records.Position{Created: r.Created, Key: r.Key}
		return refVector{description, r.Author[:], r.Created, r.Key[:], r.String(), p.Cursor()}
	}
	vectors := []refVector{
		vector("all zero", records.Ref{}),
		vector("usual", records.Ref{Author: person(0).User(), Created: records.MillisOf(noon), Key: records.ItemKey{1, 2, 3}}),
		vector("the latest time and the greatest key", records.Ref{
			Author: person(1).User(), Created: records.MaxMillis, Key: records.Newest.Key,
		}),
	}
	for _, v := range match(t, "golden/post_ids.json", vectors) {
		r, err := records.ParseRef(v.PostID)
		if err != nil || r.String() != v.PostID || r.Created != v.Created || !bytes.Equal(r.Author[:], v.Author) || !bytes.Equal(r.Key[:], v.Key) {
			t.Errorf("%s: %+v, %v", v.Description, r, err)
		}
		p, err := records.ParseCursor(v.Cursor)
		if err != nil || p.Cursor() != v.Cursor || p.Created != v.Created || !bytes.Equal(p.Key[:], v.Key) {
			t.Errorf("%s: %+v, %v", v.Description, p, err)
		}
	}
}

type fingerprintVector struct {
	Description string   `json:"description"`
	Coordinate  hexBytes `json:"coordinate"`
	Key         hexBytes `json:"item_key"`
	ID          hexBytes `json:"record_id"`
	Element     hexBytes `json:"element"`
	Total       hexBytes `json:"sum_so_far"`
}

// Elements and the sums of them, with carries.
func TestVectors_fingerprints(t *testing.T) {
	var vectors []fingerprintVector
	var sum records.Fingerprint
	for i := range byte(4) {
		at, key, id := records.Coordinate{i}, records.ItemKey{i, 1}, records.ID{i, 2}
		e := records.Element(at, key, id)
		sum = sum.Plus(e)
		vectors = append(vectors, fingerprintVector{
			"elements 0 to " + string('0'+rune(i)), at[:], key[:], id[:], e.Sum[:], slices.Clone(sum.Sum[:]),
		})
	}
	match(t, "golden/fingerprints.json", vectors)
}

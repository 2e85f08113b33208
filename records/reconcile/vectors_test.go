package reconcile_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/golden"
	"github.com/starling-social/starling/records/reconcile"
)

type (
	// vector is one conversation, for implementations in other languages. The i-th
	// element stands at the SHA-256 of "at " and i/5, its key is that of "key " and i,
	// its id that of "id " and i, as decimal digits.
	vector struct {
		About       string     `json:"about"`
		Salt        string     `json:"salt"`
		Ours        span       `json:"ours"`
		Theirs      span       `json:"theirs"`
		Talk        []exchange `json:"talk"`
		Differences []told     `json:"differences"`
	}
	// span are the elements from one to another, excluded, without some, and with
	// another version of one, whose id is the SHA-256 of "newer " and i.
	span struct {
		From    int   `json:"from"`
		To      int   `json:"to"`
		Without []int `json:"without"`
		Newer   []int `json:"newer"`
	}
	exchange struct {
		Message string `json:"message"`
		Answer  string `json:"answer"`
	}
	told struct {
		At     string `json:"at"`
		Key    string `json:"key"`
		Ours   string `json:"ours"`
		Theirs string `json:"theirs"`
	}
)

func (s span) elements() (out []reconcile.Element) {
	named := func(what string, i int) [32]byte { return sha256.Sum256(fmt.Appendf(nil, "%s %d", what, i)) }
	leave, newer := map[int]bool{}, map[int]bool{}
	for _, i := range s.Without {
		leave[i] = true
	}
	for _, i := range s.Newer {
		newer[i] = true
	}
	for i := s.From; i < s.To; i++ {
		if leave[i] {
			continue
		}
		e := reconcile.Element{At: named("at", i/5), Key: named("key", i), ID: named("id", i)}
		if newer[i] {
			e.ID = named("newer", i)
		}
		out = append(out, e)
	}
	return out
}

// What is said in a conversation is pinned: every mode, and a salt.
func TestVectors_conversations(t *testing.T) {
	vectors := []vector{
		{About: "two sets that agree", Salt: "000102030405060708090a0b0c0d0e0f", Ours: span{To: 40}, Theirs: span{To: 40}},
		{About: "a few differences", Salt: "101112131415161718191a1b1c1d1e1f", Ours: span{To: 1000, Without: []int{7, 8, 500}}, Theirs: span{To: 1000, Without: []int{77}, Newer: []int{42}}},
		{About: "a few more, listed by the side that answers", Salt: "404142434445464748494a4b4c4d4e4f", Ours: span{To: 300, Without: []int{7}, Newer: []int{200}}, Theirs: span{To: 300}},
		{About: "nothing on the side that asks", Salt: "202122232425262728292a2b2c2d2e2f", Theirs: span{To: 12}},
		{About: "nothing on the side that answers", Salt: "303132333435363738393a3b3c3d3e3f", Ours: span{To: 12}},
	}
	for i := range vectors {
		vectors[i].hold(t)
	}
	golden.Match(t, "golden/conversations.json", vectors)
}

// hold holds the conversation and notes what is said.
func (v *vector) hold(t *testing.T) {
	t.Helper()
	raw, err := hex.DecodeString(v.Salt)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := setOf(v.Ours.elements()), setOf(v.Theirs.elements())
	s := reconcile.NewSession(ours, reconcile.Salt(raw), reconcile.Start, reconcile.End, wide)
	talk, err := converse(s, func(message []byte) []byte {
		answer := honest(t, theirs, wide)(message)
		v.Talk = append(v.Talk, exchange{hex.EncodeToString(message), hex.EncodeToString(answer)})
		return answer
	}, 100)
	if err != nil {
		t.Fatal(err)
	}
	mustTell(t, talk.found, ours, theirs)
	text := func(id records.ID) string {
		if id == (records.ID{}) {
			return ""
		}
		return hex.EncodeToString(id[:])
	}
	for _, d := range talk.found {
		v.Differences = append(v.Differences, told{hex.EncodeToString(d.At[:]), hex.EncodeToString(d.Key[:]), text(d.Ours), text(d.Theirs)})
	}
}

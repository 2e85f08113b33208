package node_test

import (
	"errors"
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// A timeline is named by '#tag', a user or a post id, and prints as it is named.
func TestParseSource(t *testing.T) {
	me := records.KeyFromSeed([32]byte{1}).User()
	other := records.KeyFromSeed([32]byte{2}).User()
	ref := records.Ref{Author: other, Created: 1, Key: records.ItemKey{3}}
	for in, want := range map[string]string{
		"#Sky":         "#sky",
		"me":           me.String(),
		other.String(): other.String(),
		ref.String():   ref.String(),

		"@me":                "@" + me.String(),
		"@" + other.String(): "@" + other.String(),
		"+" + ref.String():   "+" + ref.String(),
	} {
		s, err := node.ParseSource(in, me)
		if err != nil || s.String() != want {
			t.Errorf("%q is %v, %v, want %s", in, s, err, want)
		}
		if again, err := node.ParseSource(want, me); err != nil || again != s {
			t.Errorf("%s, as it is printed, is %v, %v", want, again, err)
		}
	}
	for in, want := range map[string]error{
		"":                      node.ErrNotSource,
		"sky":                   node.ErrNotSource,
		"#":                     records.ErrNotTag,
		"#no spaces":            records.ErrNotTag,
		"did:key:z6Mk":          records.ErrNotUser,
		"did:web:example.org":   records.ErrNotUser,
		ref.String()[:95] + "!": records.ErrNotPost,
		"p":                     node.ErrNotSource,
		"@":                     records.ErrNotUser,
		"+":                     records.ErrNotPost,
	} {
		if s, err := node.ParseSource(in, me); !errors.Is(err, want) {
			t.Errorf("%q is %v, %v, want %v", in, s, err, want)
		}
	}
}

package records_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
)

func bytes32(t *rapid.T, label string) (b [32]byte) {
	copy(b[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, label))
	return b
}

func drawMillis(t *rapid.T, label string) records.Millis {
	return records.Millis(rapid.Int64Range(0, int64(records.MaxMillis)).Draw(t, label))
}

func drawPosition(t *rapid.T, label string) records.Position {
	// Few values, so that many draws are equal in time and differ in the key.
	p := records.Position{Created: drawMillis(t, label), Key: bytes32(t, label)}
	if rapid.Bool().Draw(t, label+" soon") {
		p.Created %= 3
	}
	return p
}

// Every user has one name, and every name one user.
func TestUser_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := records.User(bytes32(t, "user"))
		s := u.String()
		if got, err := records.ParseUser(s); err != nil || got != u {
			t.Fatalf("%s became %x, %v", s, got, err)
		}
		if s != "did:key:"+u.Multibase() || len(s) > 64 {
			t.Fatalf("%s and %s", s, u.Multibase())
		}
	})
}

func TestRef_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := records.Ref{Author: bytes32(t, "author"), Created: drawMillis(t, "created"), Key: bytes32(t, "key")}
		s := r.String()
		if got, err := records.ParseRef(s); err != nil || got != r {
			t.Fatalf("%s became %+v, %v", s, got, err)
		}
		if len(s) != 96 || s[0] != 'p' || strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 || strings.ContainsRune("+/= ", c) }) {
			t.Fatalf("%s cannot be part of a URL", s)
		}
	})
}

// One typing error in a post id is noticed in all but one of 256 cases; a typing
// error in what the check does not cover, its own first bits, is as likely.
func TestParseRef_typingErrors(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	s := records.Ref{Author: person(0).User(), Created: 5}.String()
	taken, tried := 0, 0
	for i := range s {
		for _, c := range alphabet {
			if b := []byte(s); b[i] != byte(c) {
				b[i] = byte(c)
				tried++
				if _, err := records.ParseRef(string(b)); err == nil {
					taken++
				}
			}
		}
	}
	if taken > tried/100 {
		t.Errorf("%d of %d typing errors were taken", taken, tried)
	}
}

func TestPosition_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPosition(t, "p")
		if got, err := records.ParseCursor(p.Cursor()); err != nil || got != p {
			t.Fatalf("%s became %+v, %v", p.Cursor(), got, err)
		}
		if p.Compare(records.Newest) > 0 || p.Compare(records.Position{}) < 0 || p.Compare(p) != 0 {
			t.Fatal("beyond the ends")
		}
	})
}

// Cursors sort as positions do, also as bytes.
func TestPosition_compareTotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawPosition(t, "a"), drawPosition(t, "b"), drawPosition(t, "c")
		if a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != (a == b) {
			t.Fatal("not antisymmetric")
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatal("not transitive")
		}
	})
}

// Whatever is a tag is its own normal form and has at most 64 visible runes.
func TestNormalizeTag_idempotent(t *testing.T) {
	tricky := rapid.SampledFrom([]string{
		"ß", "ẞ", "İ", "ı", "ﬁ", "ſ", "\u0345", "\u0301", "\u0307", "\u0323", "\u200d", "\ufe0f", "\u034f", "\u3164", "\uffa0", "Ꭳ", "ꭰ", "ᏸ", "ŉ", "ΐ", "ᾳ",
		"ᾈ", "Ω", "K", "Å", "ǅ", "ᄀ", "ᅡ", "ᆨ", "가", "﷽", "𝔸", "𐐀", "㎏", "½", "①", "ⅷ", "ｶ", "ﾞ", "゛", "א", "ּ", "שּׂ", "ا", "ﻼ", "क", "्", "़", "\u0f71", "\u0f72", "\u0f80",
	})
	piece := rapid.OneOf(tricky, rapid.StringN(1, 3, -1), rapid.Map(rapid.Rune(), func(r rune) string { return string(r) }))
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(piece, 1, 8).Draw(t, "pieces"), "")
		tag, err := records.NormalizeTag(s)
		if err != nil {
			return
		}
		if again, err := records.NormalizeTag(string(tag)); err != nil || again != tag {
			t.Fatalf("%q became %q and then %q, %v", s, tag, again, err)
		}
		if n := utf8.RuneCountInString(string(tag)); n < 1 || n > 64 {
			t.Fatalf("%q has %d runes", tag, n)
		}
		for _, r := range string(tag) {
			if !unicode.In(r, unicode.L, unicode.M, unicode.Nd) {
				t.Fatalf("%q has %U in it", tag, r)
			}
		}
		seen := strings.TrimLeftFunc(s, func(r rune) bool { // what comes before the sign and vanishes
			return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
		})
		signed := strings.ContainsRune("#＃﹟", []rune(seen)[0])
		if other, err := records.NormalizeTag("#" + s); !signed && (err != nil || other != tag) {
			t.Fatalf("%q with its sign became %q, %v; without %q", s, other, err, tag)
		}
	})
}

// Every character by itself: what it becomes stays what it is.
func TestNormalizeTag_everyCharacter(t *testing.T) {
	step := rune(1)
	if testing.Short() {
		step = 11
	}
	for r := rune(0); r <= unicode.MaxRune; r += step {
		tag, err := records.NormalizeTag(string(r))
		if err != nil || !utf8.ValidRune(r) {
			continue
		}
		if again, err := records.NormalizeTag(string(tag)); err != nil || again != tag {
			t.Fatalf("%U became %q and then %q, %v", r, tag, again, err)
		}
	}
}

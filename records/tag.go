package records

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Tag is a normalised hashtag, without the #.
type Tag string

// Limits of a hashtag. Runes bound what a reader sees, bytes what a hostile
// input can make normalisation work on.
const (
	MaxTagRunes = 64
	maxTagInput = 1024
)

// NormalizeTag brings a hashtag, with or without its #, to the one form under
// which it is found: NFKC, full case folding and no default ignorable characters
// (Unicode's toNFKC_Casefold, as of Unicode 15.0), letters, marks and digits of
// any script, 1 to 64 runes.
func NormalizeTag(s string) (Tag, error) {
	if len(s) > maxTagInput || !utf8.ValidString(s) {
		return "", fmt.Errorf("%w: %.64q", ErrNotTag, s)
	}
	if t := strings.TrimPrefix(s, "#"); asciiTag(t) {
		return Tag(t), nil
	}
	t, settled := fold(s)
	t = strings.TrimPrefix(t, "#")
	if !settled || !validTag(t) {
		return "", fmt.Errorf("%w: %.64q", ErrNotTag, s)
	}
	return Tag(t), nil
}

// foldRounds is more than any text needs: one to fold, one to see that nothing
// changes any more, one where folding and normalisation undo each other, and one
// to spare.
const foldRounds = 4

// fold repeats normalisation until it changes nothing, and tells whether it got there.
func fold(s string) (folded string, settled bool) {
	for round := 0; round < foldRounds && !settled; round++ {
		t := norm.NFKC.String(visible(caseFold(norm.NFKC.String(s))))
		s, settled = t, t == s
	}
	return s, settled
}

// caseFold is Unicode's full case folding. Cherokee folds to capitals, because
// its small letters came later; the library's tables swap the two.
func caseFold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xab70 && r <= 0xabbf:
			return r - 0xab70 + 0x13a0
		case r >= 0x13f8 && r <= 0x13fd:
			return r - 8
		default:
			return r
		}
	}, cases.Fold().String(s))
}

// visible takes out what Unicode calls default ignorable, such as joiners and
// variation selectors: nobody could tell two tags apart that differ in them.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x80 && ignorable(r) {
			return -1
		}
		return r
	}, s)
}

// ignorable is Unicode's derivation of Default_Ignorable_Code_Point.
func ignorable(r rune) bool {
	switch {
	case r >= 0xfff9 && r <= 0xfffb, r >= 0x13430 && r <= 0x13440:
		return false // interlinear annotation, Egyptian format controls
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	default:
		return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Cf)
	}
}

func validTag(s string) bool {
	n := 0
	for _, r := range s {
		if r == utf8.RuneError || !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Nd) {
			return false
		}
		n++
	}
	return n >= 1 && n <= MaxTagRunes
}

// normal tells whether t is already what NormalizeTag would make of it.
func (t Tag) normal() bool {
	if asciiTag(string(t)) {
		return true
	}
	n, err := NormalizeTag(string(t))
	return err == nil && n == t && t != ""
}

// asciiTag spares the common case the tables of Unicode.
func asciiTag(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= MaxTagRunes
}

package records

import (
	"fmt"
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
	maxTagRunes = 64
	maxTagInput = 1024
)

// NormalizeTag brings a hashtag, with or without its #, to the one form under
// which it is found: NFKC and full case folding (Unicode's toNFKC_Casefold),
// letters, marks and digits of any script, 1 to 64 runes.
func NormalizeTag(s string) (Tag, error) {
	in := s
	if len(s) > maxTagInput || !utf8.ValidString(s) {
		return "", fmt.Errorf("%w: %.64q", ErrNotTag, in)
	}
	if len(s) > 0 && s[0] == '#' {
		s = s[1:]
	}
	s = fold(s)
	if !validTag(s) {
		return "", fmt.Errorf("%w: %.64q", ErrNotTag, in)
	}
	return Tag(s), nil
}

// fold repeats normalisation until it changes nothing: folding can undo
// normalisation and the other way round for a few characters.
func fold(s string) string {
	for range 4 {
		t := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
		if t == s {
			break
		}
		s = t
	}
	return s
}

func validTag(s string) bool {
	n := 0
	for _, r := range s {
		if r == utf8.RuneError || !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Nd) {
			return false
		}
		n++
	}
	return n >= 1 && n <= maxTagRunes
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
	return len(s) >= 1 && len(s) <= maxTagRunes
}

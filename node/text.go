package node

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starling-social/starling/records"
)

// What a text says by itself:
//
//	#word              a hashtag: letters, marks and digits of any script, one letter at least
//	did:key:z6Mk…      a mention, with or without @ before it
//	https://host/path  a link, http or https, without the punctuation that ends a sentence
//
// Each begins where no word does: not after a letter, a digit or one of _#&@/.

// WithText completes the head of a post by author with the hashtags and mentions
// that its text names, in the order of the text, as far as places are left. What
// finds no place stays plain text. Tags and mentions come out as a head needs
// them, ascending and unique.
func WithText(head records.PostHead, author records.User, text string) records.PostHead {
	tags, mentions := slices.Clone(head.Tags), slices.Clone(head.Mentions)
	free := records.MaxPlaces - CountPlaces(head, author)
	for _, f := range marks(text) {
		switch {
		case free <= 0:
		case f.Tag != "" && !slices.Contains(tags, f.Tag):
			tags = append(tags, f.Tag)
			free--
		case f.Mention != nil && !slices.Contains(mentions, *f.Mention):
			mentions = append(mentions, *f.Mention)
			free--
		}
	}
	head.Tags, head.Mentions = ascending(tags, mentions)
	return head
}

// CountPlaces is how many level-0 places a post by author with the given head
// belongs to: its author's, its tags', its mentions', its thread's and, when it
// goes on where its author left off, its sequel's.
func CountPlaces(head records.PostHead, author records.User) int {
	tags, mentions := ascending(slices.Clone(head.Tags), slices.Clone(head.Mentions))
	n := 1 + len(tags) + len(mentions)
	if head.Root != nil {
		n++
	}
	if head.Parent != nil && head.Parent.Author == author {
		n++
	}
	return n
}

// Facets are the stretches of text that a reader can follow: its links, and those
// of its hashtags and mentions under which the post stands. No edit can add a
// place to a post, so a new hashtag in an edited text is plain text.
func Facets(text string, head records.PostHead) []records.Facet {
	facets := slices.DeleteFunc(marks(text), func(f records.Facet) bool {
		return f.Tag != "" && !slices.Contains(head.Tags, f.Tag) ||
			f.Mention != nil && !slices.Contains(head.Mentions, *f.Mention)
	})
	return facets[:min(len(facets), records.MaxFacets)]
}

func ascending(tags []records.Tag, mentions []records.User) ([]records.Tag, []records.User) {
	slices.Sort(tags)
	slices.SortFunc(mentions, func(a, b records.User) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(tags), slices.Compact(mentions)
}

// marks finds everything in text that has a meaning, in order, without overlap.
func marks(text string) (found []records.Facet) {
	if len(text) > records.MaxText || !utf8.ValidString(text) {
		return nil // no post can say it
	}
	previous := ' '
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		if f, ok := markAt(text[at:]); ok && startsAfter(previous) {
			f.Start, f.End = at, at+f.End
			found = append(found, f)
			at = f.End
			previous, _ = utf8.DecodeLastRuneInString(text[:at])
			continue
		}
		at += size
		previous = r
	}
	return found
}

func startsAfter(r rune) bool { return !inWord(r) && !strings.ContainsRune("_#＃&@/", r) }

func inWord(r rune) bool { return unicode.In(r, unicode.Letter, unicode.Mark, unicode.Nd) }

// markAt reads what begins text; End of the facet is its length.
func markAt(text string) (records.Facet, bool) {
	switch text[0] {
	case '#', "＃"[0]:
		return tagAt(text)
	case 'd':
		return mentionAt(text)
	case '@':
		f, ok := mentionAt(text[1:])
		f.End++
		return f, ok
	case 'h', 'H':
		return linkAt(text)
	default:
		return records.Facet{}, false
	}
}

// tagAt wants a letter, because #1 numbers something, and no _ after the word,
// because a part of a word is another word.
func tagAt(text string) (records.Facet, bool) {
	sign, size := utf8.DecodeRuneInString(text)
	if sign != '#' && sign != '＃' {
		return records.Facet{}, false
	}
	word := run(text[size:], inWord)
	if !strings.ContainsFunc(word, unicode.IsLetter) || strings.HasPrefix(text[size+len(word):], "_") {
		return records.Facet{}, false
	}
	t, err := records.NormalizeTag(word)
	return records.Facet{Tag: t, End: size + len(word)}, err == nil
}

func mentionAt(text string) (records.Facet, bool) {
	const prefix = "did:key:"
	if !strings.HasPrefix(text, prefix) {
		return records.Facet{}, false
	}
	id := prefix + run(text[len(prefix):], inWord)
	u, err := records.ParseUser(id)
	return records.Facet{Mention: &u, End: len(id)}, err == nil
}

func linkAt(text string) (records.Facet, bool) {
	found := withoutPunctuation(run(text, inLink))
	scheme, rest, _ := strings.Cut(found, "://")
	link := strings.ToLower(scheme) + "://" + rest
	return records.Facet{Link: link, End: len(found)}, records.ValidLink(link)
}

// inLink leaves out what no link contains, and what would make one read
// differently from where it leads.
func inLink(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !strings.ContainsRune("\"<>\\`", r)
}

// withoutPunctuation takes away what belongs to the sentence around a link: stops,
// quotes, and brackets that were not opened inside it.
func withoutPunctuation(link string) string {
	for {
		last, size := utf8.DecodeLastRuneInString(link)
		open, closes := map[rune]string{')': "(", ']': "[", '}': "{"}[last]
		unopened := closes && strings.Count(link, open) < strings.Count(link, string(last))
		if size == 0 || !unopened && !strings.ContainsRune(".,;:!?'*_~…。、”’»", last) {
			return link
		}
		link = link[:len(link)-size]
	}
}

// run is the beginning of s in which every rune is as wanted.
func run(s string, wanted func(rune) bool) string {
	if end := strings.IndexFunc(s, func(r rune) bool { return !wanted(r) }); end >= 0 {
		return s[:end]
	}
	return s
}

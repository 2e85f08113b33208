package records

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/starling-social/starling/records/pb"
)

// Limits of a post's content.
const (
	MaxText      = 4 << 10 // bytes of UTF-8
	MaxFacets    = 64
	MaxLink      = 2 << 10 // bytes
	contentDepth = 2       // messages within messages in a head or body
)

// PostBody is what one version of a post says.
type PostBody struct {
	Text   string // plain UTF-8; control characters are kept, whoever prints it escapes them
	Facets []Facet
}

// Facet gives the bytes [Start, End) of a text one meaning: exactly one of Tag,
// Mention and Link is set.
type Facet struct {
	Start, End int
	Tag        Tag
	Mention    *User
	Link       string // as ValidLink says
}

// check tells whether the body keeps the rules: at most [MaxText] bytes of
// UTF-8; facets ascend without overlap on character boundaries; tags and
// mentions are those of the head, so that what a reader can click is where the
// post is found; links are as [ValidLink] says.
func (b PostBody) check(h PostHead) error {
	if len(b.Text) > MaxText {
		return fmt.Errorf("%w: text of %d bytes, at most %d", ErrMalformed, len(b.Text), MaxText)
	}
	if !utf8.ValidString(b.Text) {
		return fmt.Errorf("%w: text is not UTF-8", ErrMalformed)
	}
	if len(b.Facets) > MaxFacets {
		return fmt.Errorf("%w: %d facets, at most %d", ErrMalformed, len(b.Facets), MaxFacets)
	}
	end := 0
	for _, f := range b.Facets {
		if f.Start < end || f.End <= f.Start || f.End > len(b.Text) || !boundary(b.Text, f.Start) || !boundary(b.Text, f.End) {
			return fmt.Errorf("%w: facet at %d to %d", ErrMalformed, f.Start, f.End)
		}
		if err := f.check(h); err != nil {
			return err
		}
		end = f.End
	}
	return nil
}

func boundary(s string, i int) bool { return i == len(s) || utf8.RuneStart(s[i]) }

func (f Facet) check(h PostHead) error {
	switch {
	case f.Tag != "" && f.Mention == nil && f.Link == "":
		if _, ok := slices.BinarySearch(h.Tags, f.Tag); !ok {
			return fmt.Errorf("%w: facet of tag %.64q that the post does not have", ErrMalformed, string(f.Tag))
		}
	case f.Tag == "" && f.Mention != nil && f.Link == "":
		if !slices.Contains(h.Mentions, *f.Mention) {
			return fmt.Errorf("%w: facet of a mention that the post does not have", ErrMalformed)
		}
	case f.Tag == "" && f.Mention == nil && f.Link != "":
		if !ValidLink(f.Link) {
			return fmt.Errorf("%w: link %.80q", ErrMalformed, f.Link)
		}
	default:
		return fmt.Errorf("%w: facet with no meaning, or with several", ErrMalformed)
	}
	return nil
}

// ValidLink tells whether s can be a facet's link: http:// or https:// in lower
// case, a host without a user name, which serves only to deceive, and whatever
// follows, in UTF-8 without spaces, control characters and " < > \ `. The rule is
// this short so that every implementation takes the same links; it says nothing
// about what a link leads to.
func ValidLink(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	if !ok || len(s) > MaxLink || !utf8.ValidString(rest) {
		return false
	}
	for _, c := range []byte(rest) {
		if c <= ' ' || c == 0x7f || strings.IndexByte("\"<>\\`", c) >= 0 {
			return false
		}
	}
	host := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		host = rest[:end]
	}
	return host != "" && !strings.Contains(host, "@")
}

func (b PostBody) message() *pb.PostBody {
	m := &pb.PostBody{Text: b.Text}
	for _, f := range b.Facets {
		p := &pb.Facet{Start: uint32(f.Start), End: uint32(f.End)}
		switch {
		case f.Tag != "":
			p.Meaning = &pb.Facet_Tag{Tag: string(f.Tag)}
		case f.Mention != nil:
			p.Meaning = &pb.Facet_Mention{Mention: f.Mention[:]}
		default:
			p.Meaning = &pb.Facet_Link{Link: f.Link}
		}
		m.Facets = append(m.Facets, p)
	}
	return m
}

func postBodyOf(m *pb.PostBody) (PostBody, error) {
	b := PostBody{Text: m.GetText()}
	for _, p := range m.GetFacets() {
		f := Facet{Start: int(p.GetStart()), End: int(p.GetEnd()), Tag: Tag(p.GetTag()), Link: p.GetLink()}
		if _, ok := p.GetMeaning().(*pb.Facet_Mention); ok {
			if len(p.GetMention()) != len(User{}) {
				return PostBody{}, fmt.Errorf("%w: mention of %d bytes", ErrMalformed, len(p.GetMention()))
			}
			u := User(p.GetMention())
			f.Mention = &u
		}
		b.Facets = append(b.Facets, f)
	}
	return b, nil
}

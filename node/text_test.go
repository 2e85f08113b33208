package node_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

var (
	ann = records.KeyFromSeed([32]byte{1}).User()
	bob = records.KeyFromSeed([32]byte{2}).User()
)

// said shows the facets of a text as what they cover, one a line.
func said(text string, facets []records.Facet) string {
	var out []string
	for _, f := range facets {
		meaning := f.Link
		switch {
		case f.Tag != "":
			meaning = "tag " + string(f.Tag)
		case f.Mention != nil:
			meaning = "mention"
		}
		out = append(out, text[f.Start:f.End]+" = "+meaning)
	}
	return strings.Join(out, "\n")
}

// Hashtags, mentions and links are found where a person would see them.
func TestFacets(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"none":          {"plain words, 50% of them", ""},
		"tags":          {"#Go and (#libp2p).", "#Go = tag go\n#libp2p = tag libp2p"},
		"any script":    {"#日本語 #Straße #हिन्दी ＃全角", "#日本語 = tag 日本語\n#Straße = tag strasse\n#हिन्दी = tag हिन्दी\n＃全角 = tag 全角"},
		"numbers":       {"fixes #123 in #2024goals", "#2024goals = tag 2024goals"},
		"inside words":  {"a#b &#38; ##x /#y #foo_bar", ""},
		"mention":       {"ask " + bob.String() + ".", bob.String() + " = mention"},
		"at a mention":  {"@" + bob.String() + ": @me @@" + bob.String(), "@" + bob.String() + " = mention"},
		"not a mention": {"did:key:z6Mknonsense did:web:example.org", ""},
		"link":          {"see https://example.org/a#b?c=d, and HTTP://x.y", "https://example.org/a#b?c=d = https://example.org/a#b?c=d\nHTTP://x.y = http://x.y"},
		"brackets":      {"(https://en.wikipedia.org/wiki/Go_(game)) <https://a.b>", "https://en.wikipedia.org/wiki/Go_(game) = https://en.wikipedia.org/wiki/Go_(game)\nhttps://a.b = https://a.b"},
		"other schemes": {"javascript:alert(1) data:x ftp://a.b xhttps://a.b https://", ""},
		"reversed":      {"https://a.b/\u202eevil", "https://a.b/ = https://a.b/"},
	} {
		t.Run(name, func(t *testing.T) {
			head := node.WithText(records.PostHead{}, ann, c.text)
			if got := said(c.text, node.Facets(c.text, head)); got != c.want {
				t.Errorf("facets of %q:\n%s\nwant:\n%s", c.text, got, c.want)
			}
		})
	}
}

// A tag that finds no place is plain text: the post is not refused for it.
func TestWithText_morePlacesThanAllowed(t *testing.T) {
	text := "#a #b #c #d #e #f #g #h #i #j"
	head := node.WithText(records.PostHead{Tags: []records.Tag{"z"}}, ann, text)
	if n := node.CountPlaces(head, ann); n != records.MaxPlaces {
		t.Errorf("%d places, want %d", n, records.MaxPlaces)
	}
	if got := len(node.Facets(text, head)); got != records.MaxPlaces-2 {
		t.Errorf("%d facets, want one for each of the text's tags that has a place", got)
	}
}

// An edit cannot move a post: a new hashtag in its text leads nowhere.
func TestFacets_editedText(t *testing.T) {
	head := records.PostHead{Tags: []records.Tag{"old"}}
	if got := said("#old #new", node.Facets("#old #new", head)); got != "#old = tag old" {
		t.Errorf("facets %q", got)
	}
}

// Whatever a person writes, head and facets are ones that a record can have.
func TestFacets_anyTextMakesAPost(t *testing.T) {
	pieces := rapid.SampledFrom([]string{
		"#", "＃", "tag", "#go", "#ſ", "日本", "https://", "http://a.b/", "(", ")", ".", "_", " ", "\n", "\x00", "\u0301", "%zz", "[::1", "@", "é",
		ann.String(), bob.String(), "did:key:z6Mk", strings.Repeat("x", 300), "\u202e", "/", "?q=\"", "\ufeff", "🐦",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(pieces, 0, 60).Draw(t, "pieces"), "")
		if len(text) > records.MaxText {
			text = strings.ToValidUTF8(text[:records.MaxText], "")
		}
		parent := records.Ref{Author: ann}
		head := node.WithText(records.PostHead{Root: &parent, Parent: &parent}, ann, text)
		if _, err := records.NewPost(0, [8]byte{}, head, records.PostBody{Text: text, Facets: node.Facets(text, head)}); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if n := node.CountPlaces(head, ann); n > records.MaxPlaces {
			t.Fatalf("%q: %d places", text, n)
		}
	})
}

func FuzzFacets(f *testing.F) {
	f.Add("#go https://example.org/(x) " + bob.String())
	f.Add("##＃#\xff\xef")
	f.Fuzz(func(t *testing.T, text string) {
		head := node.WithText(records.PostHead{}, ann, text)
		if len(text) > records.MaxText || strings.ToValidUTF8(text, "") != text {
			return
		}
		if _, err := records.NewPost(0, [8]byte{}, head, records.PostBody{Text: text, Facets: node.Facets(text, head)}); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

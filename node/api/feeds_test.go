package api_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

// What strangers write to break out of a document, or to break it.
const hostile = "<script>alert(1)</script> & ]]> \x00\x1b[31m\u202e \"quoted\" <![CDATA[\nsecond <b>line</b>"

// shown is what an XML document can say of it: control characters are replaced.
var shown = strings.NewReplacer("\x00", "\ufffd", "\x1b", "\ufffd").Replace(hostile)

// texts of a document, by the path of their element.
func xmlTexts(t *testing.T, document string) map[string][]string {
	t.Helper()
	out, path := map[string][]string{}, []string{}
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if err != nil {
			if err.Error() != "EOF" {
				t.Fatalf("%v in %s", err, document)
			}
			return out
		}
		switch e := token.(type) {
		case xml.StartElement:
			path = append(path, e.Name.Local)
			for _, a := range e.Attr {
				at := strings.Join(path, "/") + "@" + a.Name.Local
				out[at] = append(out[at], a.Value)
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			at := strings.Join(path, "/")
			out[at] = append(out[at], string(e))
		}
	}
}

func (s *served) feed(t *testing.T, path, kind string) string {
	t.Helper()
	got := s.ask(t, http.MethodGet, path, "")
	if got.status != http.StatusOK || got.header.Get("Content-Type") != kind {
		t.Fatalf("%s: %d %s %s", path, got.status, got.header.Get("Content-Type"), got.body)
	}
	return got.body
}

// Whatever a post says, each kind of feed is a whole document that says it as text.
func TestFeeds_hostileText(t *testing.T) {
	s := serve(t)
	post := s.add(somebody, hostile, records.PostHead{Tags: []records.Tag{"sky"}}, 1_700_000_000_000)
	id := post.Ref().String()

	rss := xmlTexts(t, s.feed(t, "/feeds/tag/sky.rss", "application/rss+xml; charset=utf-8"))
	if got := rss["rss/channel/item/description"]; len(got) != 1 || strings.Contains(got[0], "<script>") || !strings.Contains(got[0], "&lt;script&gt;alert(1)&lt;/script&gt; &amp; ]]&gt;") || !strings.Contains(got[0], "<br>\nsecond &lt;b&gt;line") {
		t.Errorf("readers of RSS take this for HTML: %q", got)
	}
	first, _, _ := strings.Cut(shown, "\n")
	if got := rss["rss/channel/item/title"]; len(got) != 1 || got[0] != first+" …" {
		t.Errorf("title %q", got)
	}
	if got := rss["rss/channel/item/guid"]; len(got) != 1 || got[0] != "urn:starling:post:"+id || rss["rss/channel/item/guid@isPermaLink"][0] != "false" {
		t.Errorf("guid %q", got)
	}
	if got := rss["rss/channel/item/pubDate"]; got[0] != "Tue, 14 Nov 2023 22:13:20 +0000" {
		t.Errorf("published %q", got)
	}

	atom := xmlTexts(t, s.feed(t, "/feeds/user/"+somebody.User().String()+".atom", "application/atom+xml; charset=utf-8"))
	if got := atom["feed/entry/content"]; len(got) != 1 || got[0] != shown || atom["feed/entry/content@type"][0] != "text" {
		t.Errorf("content %q, want %q", got, shown)
	}
	for path, want := range map[string]string{
		"feed/entry/id": "urn:starling:post:" + id, "feed/entry/author/uri": somebody.User().String(), "feed/entry/category@term": "sky",
		"feed/entry/updated": "2023-11-14T22:13:20Z", "feed/updated": "2023-11-14T22:13:20Z", "feed/id": "urn:starling:timeline:" + somebody.User().String(),
	} {
		if got := atom[path]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}

	var feed struct {
		Version string `json:"version"`
		Items   []struct {
			ID      string   `json:"id"`
			Text    string   `json:"content_text"`
			Tags    []string `json:"tags"`
			Authors []struct{ URL string }
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(s.feed(t, "/feeds/tag/sky.json", "application/feed+json")), &feed); err != nil {
		t.Fatal(err)
	}
	if i := feed.Items[0]; feed.Version != "https://jsonfeed.org/version/1.1" || i.ID != "urn:starling:post:"+id || i.Text != hostile || i.Tags[0] != "sky" || i.Authors[0].URL != somebody.User().String() {
		t.Errorf("JSON feed %+v", feed)
	}
}

// A reader that says what it has is told when that is all.
func TestFeeds_conditional(t *testing.T) {
	s := serve(t)
	s.add(me, "one", records.PostHead{}, 1_700_000_000_000)
	for _, path := range []string{"/feeds/user/me.rss", "/feeds/user/me.atom", "/feeds/user/me.json"} {
		first := s.ask(t, http.MethodGet, path, "")
		tag, modified := first.header.Get("ETag"), first.header.Get("Last-Modified")
		if tag == "" || modified != "Tue, 14 Nov 2023 22:13:20 GMT" || first.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v", path, first.header)
		}
		for _, header := range []string{"If-None-Match: " + tag, "If-None-Match: W/" + tag, "If-Modified-Since: " + modified} {
			if got := s.ask(t, http.MethodGet, path, "", header); got.status != http.StatusNotModified || got.body != "" {
				t.Errorf("%s with %s: %d", path, header, got.status)
			}
		}
		if got := s.ask(t, http.MethodGet, path, "", `If-None-Match: "other"`); got.status != http.StatusOK {
			t.Errorf("%s with another tag: %d", path, got.status)
		}
		if got := s.ask(t, http.MethodGet, path, "", "Range: bytes=9999999-"); got.status != http.StatusOK {
			t.Errorf("%s in parts: %d", path, got.status)
		}
		if got := s.ask(t, http.MethodHead, path, ""); got.status != http.StatusOK || got.body != "" || got.header.Get("ETag") != tag {
			t.Errorf("HEAD of %s: %d %q", path, got.status, got.body)
		}
	}
	s.add(me, "two", records.PostHead{}, records.Millis(time.Now().UnixMilli()))
	if got := s.ask(t, http.MethodGet, "/feeds/user/me.rss", "", "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT"); got.status != http.StatusOK {
		t.Errorf("with a new post: %d", got.status)
	}
}

// A feed that could not be read is not one that lost all its posts, and one that is
// empty is a feed.
func TestFeeds_without(t *testing.T) {
	s := serve(t)
	for _, path := range []string{"/feeds/tag/sky.rss", "/feeds/tag/sky.atom", "/feeds/tag/sky.json"} {
		if got := s.ask(t, http.MethodGet, path, ""); got.status != http.StatusOK {
			t.Errorf("empty %s: %d %s", path, got.status, got.body)
		}
	}
	for path, want := range map[string]api.Code{
		"/feeds/tag/sky.pdf": api.CodeNotFound, "/feeds/tag/sky": api.CodeNotFound, "/feeds/tag/.rss": api.CodeBadRequest, "/feeds/user/ann.rss": api.CodeBadRequest,
		"/feeds/user/@me.rss": api.CodeBadRequest, "/feeds/tag/a%20b.atom": api.CodeBadRequest, "/feeds/tag/sky.rss?limit=3": api.CodeBadRequest,
	} {
		if got := s.ask(t, http.MethodGet, path, ""); got.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(got.body, `"`+string(want)+`"`) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	s.fake.err = &node.GapError{Places: []records.Place{records.TagPlace("sky")}}
	if got := s.ask(t, http.MethodGet, "/feeds/tag/sky.rss", ""); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, string(api.CodeIncomplete)) {
		t.Errorf("nobody answers: %d %s", got.status, got.body)
	}
}

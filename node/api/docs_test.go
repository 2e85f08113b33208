package api_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var (
	loaded = regexp.MustCompile(`(?i)<(script|iframe|img|object|embed|form)|\s(src|srcset|style|on[a-z]+)=|javascript:|@import|url\(`)
	linked = regexp.MustCompile(`href="([^"]*)"`)
)

// The documentation is for everybody, says all that the document does, and loads
// nothing but its own style.
func TestDocs(t *testing.T) {
	s := serve(t)
	page := s.ask(t, http.MethodGet, "/docs", "", "Authorization: none")
	if page.status != http.StatusOK || page.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", page.status, page.header)
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self';") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	css := s.ask(t, http.MethodGet, "/docs.css", "", "Authorization: none")
	if css.status != http.StatusOK || css.header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(css.body, "light-dark(") {
		t.Errorf("style: %d %v", css.status, css.header)
	}
	for _, text := range []string{page.body, css.body} {
		if found := loaded.FindString(text); found != "" {
			t.Errorf("loads or runs something: %q", found)
		}
	}
	d := readDocument(t)
	has := func(id string) {
		t.Helper()
		if !strings.Contains(page.body, `id="`+id+`"`) {
			t.Errorf("%s is not there", id)
		}
	}
	for _, item := range d.Paths {
		for _, op := range item {
			has(op.ID)
		}
	}
	for name := range d.Components.Schemas {
		has("schema-" + name)
	}
	for _, p := range d.Problems {
		has("problem-" + string(p.Code))
	}
	for _, link := range linked.FindAllStringSubmatch(page.body, -1) {
		switch to := link[1]; {
		case strings.HasPrefix(to, "#"):
			has(to[1:])
		case to != "/docs.css" && to != "/openapi.json" && to != "/openapi.yaml":
			t.Errorf("a link to %s", to)
		}
	}
}

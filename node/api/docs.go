package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// The documentation page is made of the document alone, once. It has no script, and
// its one style is its own file, so that it can be shown under the strictest policy.
var (
	//go:embed docs.html
	docsHTML string
	//go:embed docs.css
	docsCSS []byte
)

const docsPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (a *operations) docsOperations() {
	page := sync.OnceValues(a.renderDocs)
	html := answer{kinds: []string{"text/html"}, text: "A page for people."}
	stream(a, operation{
		route: "GET /docs", id: "getDocs", group: groupNode, summary: "This document, to read", answer: html, ready: true,
	}, func(w http.ResponseWriter, r *http.Request, _ *nothing) error {
		b, err := page()
		if err != nil {
			return err
		}
		w.Header().Set("Content-Security-Policy", docsPolicy)
		serveFresh(w, r, "text/html; charset=utf-8", time.Time{}, b)
		return nil
	})
	css := answer{kinds: []string{"text/css"}, text: "A style sheet."}
	stream(a, operation{
		route: "GET /docs.css", id: "getDocsStyle", group: groupNode, summary: "How it looks", answer: css, ready: true,
	}, func(w http.ResponseWriter, r *http.Request, _ *nothing) error {
		serveFresh(w, r, "text/css; charset=utf-8", time.Time{}, docsCSS)
		return nil
	})
}

// docsPage is what the page is made of.
type docsPage struct {
	*huma.OpenAPI

	Groups   []docsGroup
	Problems []listedProblem
}

type docsGroup struct {
	Name, Text string
	Operations []*huma.Operation
}

func (a *operations) renderDocs() ([]byte, error) {
	page := docsPage{OpenAPI: a.OpenAPI(), Problems: listProblems()}
	for _, g := range groups {
		out := docsGroup{Name: string(g.name), Text: g.text}
		for op := range a.all() {
			if slices.Contains(op.Tags, out.Name) {
				out.Operations = append(out.Operations, op)
			}
		}
		page.Groups = append(page.Groups, out)
	}
	t, err := template.New("docs").Funcs(template.FuncMap{
		"marked": marked, "typeOf": typeOf, "fields": fields, "curl": curl, "callers": callersOf,
		"sorted":  func(m map[string]*huma.Schema) []string { return slices.Sorted(maps.Keys(m)) },
		"answers": func(m map[string]*huma.Response) []string { return slices.Sorted(maps.Keys(m)) },
		"response": func(r *huma.Response) *huma.Response {
			if r.Ref == "" {
				return r
			}
			return a.OpenAPI().Components.Responses[afterSlash(r.Ref)]
		},
		"schemas": func() map[string]*huma.Schema { return a.OpenAPI().Components.Schemas.Map() },
	}).Parse(docsHTML)
	if err != nil {
		return nil, fmt.Errorf("make documentation: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, page); err != nil {
		return nil, fmt.Errorf("make documentation: %w", err)
	}
	return b.Bytes(), nil
}

func afterSlash(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func callersOf(op *huma.Operation) string { return fmt.Sprint(op.Extensions["x-callers"]) }

var marks = []struct {
	found *regexp.Regexp
	html  string
}{
	{regexp.MustCompile("`([^`]+)`"), "<code>$1</code>"},
	{regexp.MustCompile(`\*\*([^*]+)\*\*`), "<strong>$1</strong>"},
	{regexp.MustCompile(`\*([^*]+)\*`), "<em>$1</em>"},
}

// marked is the little Markdown that our descriptions have, as HTML.
func marked(text string) template.HTML {
	var out strings.Builder
	for p := range strings.SplitSeq(text, "\n\n") {
		p = template.HTMLEscapeString(p)
		for _, m := range marks {
			p = m.found.ReplaceAllString(p, m.html)
		}
		if p != "" {
			out.WriteString("<p>" + p + "</p>\n")
		}
	}
	return template.HTML(out.String()) //nolint:gosec // escaped above, and ours to begin with
}

// typeOf is a type in words, with a link to what is described elsewhere.
func typeOf(s *huma.Schema) template.HTML {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		name := template.HTMLEscapeString(afterSlash(s.Ref))
		return template.HTML(`<a href="#schema-` + name + `">` + name + `</a>`) //nolint:gosec // escaped
	case s.Type == huma.TypeArray:
		return "list of " + typeOf(s.Items)
	}
	out := s.Type
	if s.Format != "" {
		out += " (" + s.Format + ")"
	}
	if s.ContentEncoding != "" {
		out += " (" + s.ContentEncoding + ")"
	}
	if s.Nullable {
		out += " or null"
	}
	return template.HTML(template.HTMLEscapeString(out)) //nolint:gosec // escaped
}

// docsField is a field of a schema.
type docsField struct {
	Name     string
	Required bool
	*huma.Schema
}

func fields(s *huma.Schema) (out []docsField) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		out = append(out, docsField{name, slices.Contains(s.Required, name), s.Properties[name]})
	}
	return out
}

// curl is a command that one can paste.
func curl(op *huma.Operation) string {
	out := "curl"
	if op.Method != http.MethodGet {
		out += " -X " + op.Method
	}
	if callersOf(op) != open.String() {
		out += ` -H "Authorization: Bearer $TOKEN"`
	}
	url := op.Path
	for _, p := range op.Parameters {
		if len(p.Schema.Examples) > 0 && (p.In == "path" || p.Required) {
			example := strings.ReplaceAll(strings.Trim(fmt.Sprint(p.Schema.Examples[0]), "[]"), "#", "%23")
			if p.In == "path" {
				url = strings.ReplaceAll(url, "{"+p.Name+"}", example)
			} else {
				url += "?" + p.Name + "=" + example
			}
		}
	}
	if op.RequestBody != nil {
		kind := slices.Collect(maps.Keys(op.RequestBody.Content))[0] // each has one
		out += " -H 'Content-Type: " + kind + "' --data-binary @body"
	}
	return out + " 'http://" + DefaultAddr + url + "'"
}

package api

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// apiVersion is that of the description, and of what it describes.
const apiVersion = "0.1.0"

// group is a heading that operations stand under.
type group string

const (
	groupPosts     group = "Posts"
	groupTimelines group = "Timelines"
	groupLive      group = "Live"
	groupFollowing group = "Following"
	groupPeople    group = "People"
	groupRegisters group = "Registers"
	groupFeeds     group = "Feeds"
	groupSession   group = "Session"
	groupNode      group = "Node"
	groupStore     group = "Store"
)

var groups = []struct {
	name group
	text string
}{
	{groupPosts, "Write posts and read single ones."},
	{groupTimelines, "Read hashtags, users, threads and what mentions somebody, newest first, page by page."},
	{groupLive, "Hear posts as they arrive."},
	{groupFollowing, "What the node follows for its owner, and all of it as one timeline."},
	{groupPeople, "Profiles and nicknames."},
	{groupRegisters, "Single values of a user, written with compare-and-swap."},
	{groupFeeds, "Timelines as RSS 2.0, Atom and JSON Feed 1.1."},
	{groupSession, "How a page in a browser signs in, without ever holding the token."},
	{groupNode, "How the node is, and what it allows."},
	{groupStore, "What the node keeps, to look at, save and bring back."},
}

const overview = `A Starling node serves its owner, on loopback, with a token. Where a node also has a public listener, the operations
marked *readers* are there for everybody, without a token.

**Token.** Send ` + "`Authorization: Bearer TOKEN`" + `; address and token stand in ` + "`api.json`" + ` in the node's data directory.

**Users and posts.** A user is a ` + "`did:key`" + `, or ` + "`me`" + ` for the node's owner. A post's id finds it from any node. Texts are plain
text, control characters included: whoever shows one escapes it.

**Sources.** A timeline is named by ` + "`#tag`" + `, a user, ` + "`@`" + ` and a user for what mentions them, a post's id for its thread, or ` + "`+`" + `
and a post's id for what its author added to it. In a URL ` + "`#`" + ` is written ` + "`%23`" + `.

**Pages.** A page is newest first. ` + "`next`" + ` is what to send as ` + "`before`" + ` for the page after it, null at the end. Cursors are opaque.
What nobody answered for is told in ` + "`problem`" + ` of the page: what is there is right.

**Strictness.** A parameter or field that is unknown, doubled or of another type is an error. Wherever there is a GET that ends,
there is a HEAD.

**Problems.** Every error is a problem of RFC 9457 with a ` + "`code`" + ` that keeps its meaning; ` + "`x-problems`" + ` lists all codes.`

// newOperations is an API without routes yet.
func newOperations(s *Server, t *router) *operations {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[Problem]()) // huma's own is never sent
	format := huma.Format{Marshal: encode, Unmarshal: decode}
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Starling", Version: apiVersion, Description: overview,
			License: &huma.License{Name: "MIT OR Apache-2.0", Identifier: "MIT OR Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: "http://" + DefaultAddr, Description: "The owner's listener, unless configured otherwise"}},
		Components: &huma.Components{
			Schemas: schemas, Examples: exampleProblems(), Responses: map[string]*huma.Response{},
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"token": {Type: "http", Scheme: "bearer", Description: "The token in api.json of the node's data directory."},
			},
		},
		Security:   []map[string][]string{{"token": {}}},
		Extensions: map[string]any{"x-problems": listProblems()},
	}
	for _, g := range groups {
		doc.Tags = append(doc.Tags, &huma.Tag{Name: string(g.name), Description: g.text})
	}
	config := huma.Config{OpenAPI: doc, Formats: map[string]huma.Format{jsonType: format, "json": format}, DefaultFormat: jsonType}
	return &operations{API: huma.NewAPI(config, t), router: t, server: s}
}

// listedProblem is a code as the document lists it.
type listedProblem struct {
	Code   Code   `json:"code"`
	Status int    `json:"status"`
	Title  string `json:"title"`
	Remedy string `json:"remedy"`
}

// listProblems are all codes, by status.
func listProblems() (out []listedProblem) {
	for c, k := range kinds {
		out = append(out, listedProblem{c, k.status, k.title, k.remedy})
	}
	slices.SortFunc(out, func(a, b listedProblem) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Code, b.Code))
	})
	return out
}

// exampleProblems are one of each code.
func exampleProblems() map[string]*huma.Example {
	out := map[string]*huma.Example{}
	for c, k := range kinds {
		out[string(c)] = &huma.Example{Summary: k.title, Description: k.remedy, Value: problem(c, "")}
	}
	return out
}

// usual are the problems that requests of an operation may meet whatever it does.
func usual(o operation, hasBody bool) []Code {
	out := []Code{CodeBadRequest, CodeForbidden, CodeManyRequests, CodeInternal}
	if callers[o.route] != open {
		out = append(out, CodeUnauthorized)
	}
	if !o.ready {
		out = append(out, CodeBusy, CodeStopping, CodeTimeout)
	}
	if hasBody {
		out = append(out, CodeMediaType, CodeTooLarge, CodeTooSlow)
	}
	return out
}

// refusals are the problems of an operation, by status.
func (a *operations) refusals(o operation, hasBody bool) map[string]*huma.Response {
	schema := a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	byStatus := map[int][]Code{}
	codes := append(usual(o, hasBody), o.codes...)
	slices.Sort(codes)
	for _, c := range slices.Compact(codes) {
		byStatus[kinds[c].status] = append(byStatus[kinds[c].status], c)
	}
	out := map[string]*huma.Response{}
	for status, codes := range byStatus {
		var lines, names []string
		examples := map[string]*huma.Example{}
		for _, c := range codes {
			names = append(names, string(c))
			lines = append(lines, fmt.Sprintf("`%s`: %s", c, lower(kinds[c].title)))
			examples[string(c)] = &huma.Example{Ref: "#/components/examples/" + string(c)}
		}
		name := strconv.Itoa(status) + "." + strings.Join(names, ".") // many operations have the same ones
		a.OpenAPI().Components.Responses[name] = &huma.Response{
			Description: strings.Join(lines, "; ") + ".",
			Content:     map[string]*huma.MediaType{problemType: {Schema: schema, Examples: examples}},
		}
		out[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + name}
	}
	return out
}

func lower(title string) string { return strings.ToLower(title[:1]) + title[1:] }

// finish completes what huma made of our types: no list of ours is ever null, and a
// code is one of those there are.
func (a *operations) finish() {
	for _, s := range a.OpenAPI().Components.Schemas.Map() {
		for _, p := range s.Properties {
			neverNull(p)
		}
	}
	for op := range a.all() {
		for _, p := range op.Parameters {
			neverNull(p.Schema)
		}
	}
	codes := a.OpenAPI().Components.Schemas.Map()["Problem"].Properties["code"]
	for _, c := range slices.Sorted(maps.Keys(kinds)) {
		codes.Enum = append(codes.Enum, string(c))
	}
}

func neverNull(s *huma.Schema) {
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
}

// all are the operations, by path and method.
func (a *operations) all() iter.Seq[*huma.Operation] {
	return func(yield func(*huma.Operation) bool) {
		paths := a.OpenAPI().Paths
		for _, path := range slices.Sorted(maps.Keys(paths)) {
			p := paths[path]
			for _, op := range []*huma.Operation{p.Get, p.Post, p.Put, p.Delete} {
				if op != nil && !yield(op) {
					return
				}
			}
		}
	}
}
